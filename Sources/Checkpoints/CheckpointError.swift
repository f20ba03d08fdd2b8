import Storage

/// Why a checkpoint, an index or a configuration was refused or could not be written: the error of the files that it is
/// made of.
public typealias CheckpointError = ContentError
