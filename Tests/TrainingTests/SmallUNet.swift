/// The section `model` of a recipe, indented by two, with a network of a few hundred parameters that has dropout.
let smallUNet = """
    kind: unet2d
      class_conditional: true
      in_channels: 1
      out_channels: 1
      block_out_channels: [8, 8]
      layers_per_block: 1
      norm_num_groups: 4
      attention_head_dim: 4
      dropout: 0.1
      down_block_types: [DownBlock2D, AttnDownBlock2D]
      up_block_types: [AttnUpBlock2D, UpBlock2D]
    """
