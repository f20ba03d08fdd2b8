"""Recipes of networks that enlarge pictures, drawn from a seed: the same step as in `recipes.py`, with the smaller pictures and
their conditioning augmentation (blur, noise and its level) by an independent implementation in PyTorch.
"""
from recipes import compare, judge, words_of


def enlarging(program, draw, folder):
    return compare(program, draw, folder, enlarges=True)


def words(recipe):
    diffusion = recipe["diffusion"]
    return f"{words_of(recipe)}, augmentation {diffusion.get('augmentation')}, blur {diffusion.get('augmentation_blur')}"


if __name__ == "__main__":
    judge(__doc__, "cascade-recipes", enlarging, words)
