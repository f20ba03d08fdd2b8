"""Like unet.py, with the block types, changes of resolution and embeddings that few checkpoints use."""
from common import arguments
from unet import configuration, write_cases


# What a case is sure to meet, going round with the index; the rest is drawn.
KINDS = [
    dict(down_block_types=["ResnetDownsampleBlock2D", "DownBlock2D"], up_block_types=["ResnetUpsampleBlock2D", "UpBlock2D"],
         class_embed_type="timestep"),
    dict(down_block_types=["AttnDownBlock2D", "DownBlock2D"], up_block_types=["AttnUpBlock2D", "UpBlock2D"],
         downsample_type="resnet", upsample_type="resnet", class_embed_type="identity", mid_block_type=None),
    dict(down_block_types=["DownBlock2D", "ResnetDownsampleBlock2D"], up_block_types=["AttnUpBlock2D", "ResnetUpsampleBlock2D"],
         time_embedding_type="learned", num_train_timesteps=40, num_class_embeds=None, class_embed_type=None),
]


def drawn(draw, index):
    settings = configuration(draw, 6 * index)  # two levels, no table of classes
    settings.update(KINDS[index % len(KINDS)])
    if settings.get("class_embed_type") == "timestep":
        settings["time_embedding_type"] = "positional"
    return settings


def main():
    write_cases(arguments(__doc__, cases=3, limit=300), "unet-blocks", drawn)


if __name__ == "__main__":
    main()
