import Foundation
import Pictures

/// The folder of the whole package.
let packageFolder = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../..").standardized

/// The data set that comes with the project.
let digitsFile = packageFolder.appending(path: "data/digits/digits.csv.gz")

/// A committed reference that Tools/oracle/pictures.py has written.
func fixture<Content: Decodable>(_ name: String, as type: Content.Type = Content.self) throws -> Content {
    let url = packageFolder.appending(path: "Tests/Fixtures/pictures/\(name).json")
    return try JSONDecoder().decode(type, from: Data(contentsOf: url))
}

/// A small idx pair and a batch of it.
struct IdxReference: Decodable {
    let images, images_gz, labels, labels_gz: Data
    let picked: [Int]
    let batch: [Float]
    let batch_labels: [Int]
}

extension URL {
    /// Writes a file of this name in a folder, which is made where needed.
    func write(_ data: Data, as name: String) throws -> URL {
        let url = appending(path: name)
        try FileManager.default.createDirectory(
            at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
        try data.write(to: url)
        return url
    }
}
