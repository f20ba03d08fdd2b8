extension ControlKind {
    /// The picture with −1 in all colours where the mask is white, so that a network makes that part anew. A tensor alone holds
    /// it.
    /// Source: the inpainting network of ControlNet 1.1 (Zhang 2023), whose masked pixels are −1 where others are 0 to 1.
    public static let inpaint = ControlKind(
        "inpaint", "the picture without the part under the mask", reads: [.mask]
    ) { picture, settings in
        guard let mask = settings.mask else {
            throw PictureError(
                .unsuitable, "the kind 'inpaint' says which part of a picture is made anew",
                remedy: "give a mask that is white there")
        }
        guard mask.width == picture.width, mask.height == picture.height else {
            throw PictureError(
                .unsuitable,
                "the mask has \(mask.width)×\(mask.height) pixels and the picture \(picture.width)×\(picture.height)",
                remedy: "give a mask of the picture's size")
        }
        let unknown = mask.converted(toChannels: 1).plane(0)
        return picture.converted(toChannels: 3).planes.map { colour in
            colour.with(unknown) { $1 > 0.5 ? -1 : $0 }
        }
    }
}
