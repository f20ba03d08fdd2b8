import Datasets

extension Recipe.DataSection {
    /// Opens a part with captions: those of its files, or else the names of its classes.
    /// - Throws: `DatasetError` or `RecipeError`, one sentence; where the data have neither, too.
    public func openCaptioned(_ split: Split) throws -> any Dataset {
        var section = self
        if kind.hasPictureFiles {
            section.captions = .file
            if let data = try? section.open(split), !data.captions.isEmpty { return data }
        }
        section.captions = .classNames
        return try section.open(split)
    }
}
