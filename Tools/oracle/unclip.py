"""unCLIP's networks between texts and pictures: diffusers' `PriorTransformer` and `UnCLIPTextProjModel`, forward.

    unclip.py --seed 0 --out Tests/Fixtures/unclip [--cases 3]
"""
import torch
from diffusers import PriorTransformer
from diffusers.pipelines.deprecated.unclip.text_proj import UnCLIPTextProjModel

from common import Draw, arguments, write


def weights(network, draw):
    """Numbers that keep activations near one, for every parameter."""
    with torch.no_grad():
        for parameter in network.parameters():
            scale = parameter[0].numel() ** -0.5 if parameter.ndim > 1 else 0.5
            parameter.copy_(scale * draw.normal(*parameter.shape, dtype=torch.float32))
    return network.eval()


def prior(draw, index, out):
    width, count = draw.one(8, 12), draw.integer(3, 6)
    settings = dict(
        num_attention_heads=draw.integer(1, 3), attention_head_dim=draw.one(4, 6), num_layers=draw.integer(1, 2),
        embedding_dim=width, num_embeddings=count, norm_in_type=draw.one(None, "layer"),
        embedding_proj_norm_type=draw.one(None, "layer"), time_embed_dim=draw.one(None, 10),
        time_embed_act_fn=draw.one("silu", "gelu"), embedding_proj_dim=draw.one(None, 6))
    network = weights(PriorTransformer(**settings), draw)
    lengths = [draw.integer(1, count) for _ in range(2)]
    given = {
        "sample": draw.normal(2, width, dtype=torch.float32), "time": torch.tensor([draw.integer(0, 999)] * 2),
        "text": draw.normal(2, settings["embedding_proj_dim"] or width, dtype=torch.float32),
        "states": draw.normal(2, count, width, dtype=torch.float32),
        "mask": torch.tensor([[int(place < length) for place in range(count)] for length in lengths])}
    run(out, f"prior-{index}", network, settings, given, lambda net, given: {"embedding": net.post_process_latents(net(
        given["sample"], given["time"], given["text"], given["states"], given["mask"].bool()).predicted_image_embedding)})


def projection(draw, index, out):
    settings = dict(
        clip_extra_context_tokens=draw.integer(1, 4), clip_embeddings_dim=draw.one(6, 8), time_embed_dim=draw.one(8, 12),
        cross_attention_dim=draw.one(4, 6))
    network = weights(UnCLIPTextProjModel(**settings), draw)
    width = settings["clip_embeddings_dim"]
    given = {"picture": draw.normal(1, width, dtype=torch.float32), "text": draw.normal(2, width, dtype=torch.float32),
             "states": draw.normal(2, 5, width, dtype=torch.float32)}

    def both(net, given):
        context, time = net(
            image_embeddings=given["picture"], prompt_embeds=given["text"], text_encoder_hidden_states=given["states"],
            do_classifier_free_guidance=True)
        return {"context": context, "time": time}

    run(out, f"projection-{index}", network, settings, given, both)


def run(out, name, network, settings, given, forward):
    tensors = {"input." + key: value for key, value in given.items()}
    tensors.update({"weight." + key: value for key, value in network.named_parameters()})
    tensors.update({key: value.clone() for key, value in tensors.items()})
    parameters = sum(parameter.numel() for parameter in network.parameters())
    with torch.no_grad():
        tensors.update({"output." + key: value for key, value in forward(network, given).items()})
        network.double()
        wide = {key: value.double() if value.is_floating_point() else value for key, value in given.items()}
        tensors.update({"output64." + key: value for key, value in forward(network, wide).items()})
    write(out, name, tensors, {"configuration": settings, "parameters": parameters})


def main():
    options = arguments(__doc__, cases=3)
    for index in range(options.cases):
        prior(Draw(options.seed, f"prior/{index}"), index, options.out)
    projection(Draw(options.seed, "projection/0"), 0, options.out)


if __name__ == "__main__":
    main()
