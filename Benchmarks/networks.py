"""The networks of the works as diffusers has them, what they are given, and how they are called."""
import os

import torch
from diffusers import (AutoencoderKL, DDPMPipeline, DDPMScheduler, DiTTransformer2DModel, UNet2DConditionModel,
                       UNet2DModel)


def generator(seed=1):
    return torch.Generator().manual_seed(seed)


def normal(*shape, seed=1):
    return torch.randn(*shape, generator=generator(seed))


class Network:
    """A network's class, configuration and inputs; `call` takes the network and the inputs by position."""
    kind, configuration = None, {}

    def inputs(self):
        raise NotImplementedError

    def call(self, network, x, time):
        return network(x, time, return_dict=False)[0]

    def built(self):
        return self.kind(**self.configuration)

    def loaded(self, folder, dtype=torch.float32):
        return self.trimmed(self.kind.from_pretrained(folder, torch_dtype=dtype)).eval()

    def trimmed(self, network):
        return network

    def module(self, network):
        """The call as a module of tensors alone, which compilers take."""
        outer = self

        class Called(torch.nn.Module):
            def __init__(self):
                super().__init__()
                self.network = network

            def forward(self, *inputs):
                return outer.call(self.network, *inputs)
        return Called().eval()


class TextUNet(Network):
    kind, configuration = UNet2DConditionModel, {"sample_size": 64, "cross_attention_dim": 768}

    def inputs(self):
        return {"x": normal(2, 4, 64, 64), "time": torch.tensor([500, 500]), "context": normal(2, 77, 768, seed=2)}

    def call(self, network, x, time, context):
        return network(x, time, context, return_dict=False)[0]


class Transformer(Network):
    kind, configuration = DiTTransformer2DModel, {"out_channels": 8}

    def inputs(self):
        return {"x": normal(2, 4, 32, 32), "time": torch.tensor([500, 500]), "labels": torch.tensor([207, 1000])}

    def call(self, network, x, time, labels):
        return network(x, timestep=time, class_labels=labels, return_dict=False)[0]


class Decoder(Network):
    kind = AutoencoderKL
    configuration = {"block_out_channels": (128, 256, 512, 512), "layers_per_block": 2, "sample_size": 512,
                     "down_block_types": ("DownEncoderBlock2D",) * 4, "up_block_types": ("UpDecoderBlock2D",) * 4}

    def inputs(self):
        return {"x": normal(1, 4, 64, 64)}

    def call(self, network, x):
        return network.decoder(network.post_quant_conv(x))

    def trimmed(self, network):
        del network.encoder
        return network


class PictureUNet(Network):
    """The network of google/ddpm-cifar10-32."""
    kind = UNet2DModel
    configuration = {
        "sample_size": 32, "block_out_channels": (128, 256, 256, 256), "attention_head_dim": None, "norm_eps": 1e-6,
        "downsample_padding": 0, "flip_sin_to_cos": False, "freq_shift": 1,
        "down_block_types": ("DownBlock2D", "AttnDownBlock2D", "DownBlock2D", "DownBlock2D"),
        "up_block_types": ("UpBlock2D", "UpBlock2D", "AttnUpBlock2D", "UpBlock2D")}

    def __init__(self, count, target=False):
        self.count, self.target = count, target

    def inputs(self):
        found = {"x": normal(self.count, 3, 32, 32), "time": torch.randint(0, 1000, (self.count,), generator=generator())}
        return found | ({"noise": normal(self.count, 3, 32, 32, seed=2)} if self.target else {})

    def loss(self, module, x, time, noise):
        return torch.nn.functional.mse_loss(module(x, time), noise)

    @staticmethod
    def gradient(network):
        """That of the first convolution, which all that is done reaches."""
        return network.conv_in.weight.grad


class ClassUNet(Network):
    """Guided diffusion's network of 64 pixels (arXiv:2105.05233, table 4)."""
    kind = UNet2DModel
    configuration = {
        "sample_size": 64, "block_out_channels": (192, 384, 576, 768), "layers_per_block": 3, "attention_head_dim": 64,
        "attn_norm_num_groups": 32, "downsample_type": "resnet", "upsample_type": "resnet", "out_channels": 6,
        "num_class_embeds": 1000, "resnet_time_scale_shift": "scale_shift",
        "down_block_types": ("ResnetDownsampleBlock2D",) + ("AttnDownBlock2D",) * 3,
        "up_block_types": ("AttnUpBlock2D",) * 3 + ("ResnetUpsampleBlock2D",)}

    def inputs(self):
        return {"x": normal(2, 3, 64, 64), "time": torch.tensor([500, 500]), "labels": torch.tensor([207, 999])}

    def call(self, network, x, time, labels):
        return network(x, time, class_labels=labels, return_dict=False)[0]


# What the U-Nets of pictures under a text have in common.
PICTURES = {
    "sample_size": 64, "in_channels": 3, "out_channels": 6, "block_out_channels": (192, 384, 576, 768), "layers_per_block": 3,
    "attention_head_dim": 64, "resnet_time_scale_shift": "scale_shift", "mid_block_type": "UNetMidBlock2DSimpleCrossAttn",
    "down_block_types": ("ResnetDownsampleBlock2D",) + ("SimpleCrossAttnDownBlock2D",) * 3,
    "up_block_types": ("SimpleCrossAttnUpBlock2D",) * 3 + ("ResnetUpsampleBlock2D",)}


class TextPictureUNet(TextUNet):
    """The U-Net inside GLIDE's base, given what its text transformer makes once a run."""
    configuration = PICTURES | {"cross_attention_dim": 512, "class_embed_type": "identity"}

    def inputs(self):
        return {"x": normal(2, 3, 64, 64), "time": torch.tensor([500, 500]), "context": normal(2, 128, 512, seed=2),
                "labels": normal(2, 768, seed=3)}

    def call(self, network, x, time, context, labels):
        return network(x, time, context, class_labels=labels, return_dict=False)[0]


class DeepFloydUNet(TextUNet):
    """The first stage of DeepFloyd IF in its medium size; the values are from memory."""
    configuration = PICTURES | {
        "cross_attention_dim": 768, "encoder_hid_dim": 4096, "encoder_hid_dim_type": "text_proj", "act_fn": "gelu",
        "cross_attention_norm": "group_norm", "addition_embed_type": "text", "resnet_skip_time_act": True,
        "time_embedding_act_fn": "gelu"}

    def inputs(self):
        return {"x": normal(2, 3, 64, 64), "time": torch.tensor([500, 500]), "context": normal(2, 77, 4096, seed=2)}


class TinyUNet(Network):
    kind = UNet2DModel
    configuration = {"sample_size": 16, "in_channels": 1, "out_channels": 1, "block_out_channels": (32, 64),
                     "layers_per_block": 1, "down_block_types": ("DownBlock2D",) * 2, "up_block_types": ("UpBlock2D",) * 2}

    def inputs(self):
        return {"x": normal(16, 1, 16, 16), "time": torch.full((16,), 5)}

    @staticmethod
    def pipeline(network):
        pipeline = DDPMPipeline(network, DDPMScheduler(1000))
        pipeline.set_progress_bar_config(disable=True)
        return pipeline

    @staticmethod
    def pictures(pipeline):
        """[16, 1, 16, 16] in −1 … 1, each picture with a generator of its own, as ours draws them."""
        drawn = pipeline(batch_size=16, generator=[generator(seed) for seed in range(16)], num_inference_steps=1000,
                         output_type="np").images
        return torch.from_numpy(drawn).permute(0, 3, 1, 2) * 2 - 1


NETWORKS = {"sd15-unet": TextUNet(), "dit-xl2": Transformer(), "sd-vae-decoder": Decoder(),
            "ddpm-cifar-forward": PictureUNet(64), "ddpm-cifar-train": PictureUNet(32, target=True),
            "adm-64": ClassUNet(), "glide-base": TextPictureUNet(), "if-i-m": DeepFloydUNet(), "tiny-1000": TinyUNet()}


def randomised(network):
    """Parameters that start constant (norms, biases, gates) get a little noise, so no kernel meets a zero."""
    with torch.no_grad():
        for parameter in network.parameters():
            if float(parameter.flatten()[0]) in (0.0, 1.0):
                parameter.add_(0.02 * torch.randn_like(parameter))
    return network.eval()


def laid_out(value, layout):
    """A network, or a tensor of pictures, in a memory layout; other tensors have no channels."""
    if layout != "channels-last" or (torch.is_tensor(value) and value.dim() != 4):
        return value
    return value.to(memory_format=torch.channels_last)


def threads():
    return int(os.environ.get("LANGEVIN_THREADS", "2"))
