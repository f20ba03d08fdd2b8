import Foundation

extension URL {
    /// The file or folder of a path as it stands. Foundation takes a tilde in front for somebody's home; where that was
    /// meant the shell has put the home in its place, and where not it is a part of the name.
    package init(file path: String) {
        self.init(fileURLWithPath: path.hasPrefix("~") ? "./\(path)" : path)
    }
}
