"""unCLIP's autoregressive prior, written from section 2.2 of the paper (2204.06125), as reference forward and gradients; and
its quantizer of embeddings: principal components in the order of decreasing eigenvalues, equally wide buckets, and buckets of
equally many of the data for cosines.

    autoregressive.py --seed 0 --out Tests/Fixtures/autoregressive [--cases 3]
"""
import torch
from torch import nn
from torch.nn.functional import cross_entropy, gelu

from common import Draw, arguments, write

WORD = torch.float32


class Block(nn.Module):
    def __init__(self, width, heads, head_size):
        super().__init__()
        inner, self.heads = heads * head_size, heads
        self.norm1, self.norm3 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attn1 = nn.Module()
        self.attn1.to_q, self.attn1.to_k, self.attn1.to_v = (nn.Linear(width, inner) for _ in range(3))
        self.attn1.to_out = nn.ModuleList([nn.Linear(inner, width)])
        first = nn.Module()
        first.proj = nn.Linear(width, 4 * width)
        self.ff = nn.Module()
        self.ff.net = nn.ModuleList([first, nn.Identity(), nn.Linear(4 * width, width)])

    def forward(self, x, seen):
        normed, answers = self.norm1(x), []
        parts = [layer(normed).chunk(self.heads, -1) for layer in (self.attn1.to_q, self.attn1.to_k, self.attn1.to_v)]
        for query, key, value in zip(*parts):
            scores = (query @ key.transpose(1, 2) * query.shape[-1] ** -0.5).masked_fill(~seen, -torch.inf)
            answers.append(scores.softmax(-1) @ value)
        x = x + self.attn1.to_out[0](torch.cat(answers, -1))
        return x + self.ff.net[2](gelu(self.ff.net[0].proj(self.norm3(x))))


class Prior(nn.Module):
    def __init__(self, num_attention_heads, attention_head_dim, num_layers, embedding_dim, state_dim, num_embeddings,
                 components, buckets, **_):
        super().__init__()
        width = num_attention_heads * attention_head_dim
        self.tokens, self.components = num_embeddings, components
        self.encoder_hidden_states_proj, self.embedding_proj = nn.Linear(state_dim, width), nn.Linear(embedding_dim, width)
        self.cosine_embedding, self.code_embedding = nn.Embedding(buckets, width), nn.Embedding(buckets, width)
        self.positional_embedding = nn.Parameter(torch.zeros(1, num_embeddings + 1 + components, width))
        self.transformer_blocks = nn.ModuleList(
            [Block(width, num_attention_heads, attention_head_dim) for _ in range(num_layers)])
        self.norm_out, self.proj_to_codes = nn.LayerNorm(width), nn.Linear(width, buckets)

    def forward(self, codes, cosine, states, mask, text):
        parts = [self.encoder_hidden_states_proj(states), self.embedding_proj(text)[:, None],
                 self.cosine_embedding(cosine)[:, None], self.code_embedding(codes)]
        x = torch.cat(parts, 1)
        count = x.shape[1]
        x = x + self.positional_embedding[:, :count]
        shown = torch.cat([mask.bool(), torch.ones(len(x), count - self.tokens, dtype=torch.bool)], 1)
        seen = shown[:, None] & torch.ones(count, count, dtype=torch.bool).tril()
        for block in self.transformer_blocks:
            x = block(x, seen)
        return self.proj_to_codes(self.norm_out(x[:, self.tokens + 1:]))


def quantizer(embeddings, cosines, components, buckets):
    """The constants of the quantizer of embeddings [examples, features] in float64."""
    mean = embeddings.mean(0)
    _, _, rows = torch.linalg.svd(embeddings - mean, full_matrices=False)
    rows = rows[:components]
    largest = rows.gather(1, rows.abs().argmax(1, keepdim=True))
    rows = rows * largest.sign()
    projected = (embeddings - mean) @ rows.T
    least = projected.min(0).values
    width = ((projected.max(0).values - least) / buckets).clamp(min=1e-6)
    shares = torch.arange(1, buckets, dtype=torch.float64) / buckets
    return {"mean": mean, "components": rows, "least": least, "width": width, "cosines": cosines.quantile(shares)}


def codes_of(embeddings, constants, buckets):
    projected = (embeddings - constants["mean"]) @ constants["components"].T
    return ((projected - constants["least"]) / constants["width"]).floor().clamp(0, buckets - 1).long()


def embeddings_of(codes, constants):
    return ((codes + 0.5) * constants["width"] + constants["least"]) @ constants["components"] + constants["mean"]


def loss_of(logits, codes):
    """The mean over components of each example."""
    return torch.stack([cross_entropy(row, own) for row, own in zip(logits, codes)])


def reference(draw, index, out, seed):
    settings = dict(
        num_attention_heads=draw.integer(1, 3), attention_head_dim=draw.one(2, 4), num_layers=draw.integer(1, 2),
        embedding_dim=draw.integer(4, 7), state_dim=draw.integer(3, 6), num_embeddings=draw.integer(3, 5),
        components=draw.integer(2, 4), buckets=draw.integer(3, 6))
    network, batch, features = Prior(**settings), draw.integer(2, 3), settings["embedding_dim"]
    with torch.no_grad():
        for parameter in network.parameters():
            values = draw.normal(*parameter.shape, dtype=WORD)
            parameter.copy_(values / parameter[0].numel() ** 0.5 if parameter.ndim > 1 else 0.2 * values)
    data, cosines = draw.normal(40, features, dtype=WORD), draw.normal(40, dtype=WORD).tanh()
    constants = quantizer(data.double(), cosines.double(), settings["components"], settings["buckets"])
    codes, rank = codes_of(data.double(), constants, settings["buckets"]), settings["num_embeddings"]
    given = {
        "codes": codes[:batch], "cosine": torch.searchsorted(constants["cosines"], cosines[:batch].double(), right=True),
        "states": draw.normal(batch, rank, settings["state_dim"], dtype=WORD),
        "mask": torch.tensor([[int(place < length) for place in range(rank)]
                              for length in [draw.integer(1, rank) for _ in range(batch)]]),
        "text": draw.normal(batch, features, dtype=WORD)}
    passed = lambda: network(given["codes"][:, :-1], given["cosine"], *(
        given[name].double() if network.norm_out.weight.dtype == torch.float64 and given[name].is_floating_point()
        else given[name] for name in ("states", "mask", "text")))
    logits = passed()
    losses = loss_of(logits, given["codes"])
    losses.mean().backward()
    tensors = {"input." + name: value for name, value in given.items()}
    tensors |= {"data": data, "cosines": cosines, "codes": codes, "decoded": embeddings_of(codes, constants),
                "output.logits": logits, "output.losses": losses}
    tensors |= {"quantizer." + name: value for name, value in constants.items()}
    for name, parameter in network.named_parameters():
        tensors["weight." + name], tensors["gradient." + name] = parameter, parameter.grad
    tensors = {name: value.detach().clone() for name, value in tensors.items()}
    parameters = sum(parameter.numel() for parameter in network.parameters())
    with torch.no_grad():
        network.double()
        tensors["output64.logits"] = passed()
    write(out, f"autoregressive-{seed}-{index}", tensors,
          {"seed": seed, "class": "AutoregressivePrior", "configuration": settings, "parameters": parameters})


def main():
    options = arguments(__doc__, cases=3)
    for index in range(options.cases):
        reference(Draw(options.seed, f"autoregressive/{index}"), index, options.out, options.seed)


if __name__ == "__main__":
    main()
