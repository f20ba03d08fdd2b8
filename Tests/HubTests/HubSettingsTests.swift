import Foundation
import Hub
import Testing

@Suite("Settings of the hub")
struct HubSettingsTests {
    @Test(
        "the cache is where Python's library has it",
        arguments: [
            (["HOME": "/h"], "/h/.cache/huggingface/hub"),
            (["HOME": "/h", "XDG_CACHE_HOME": "/x"], "/x/huggingface/hub"),
            (["HOME": "/h", "XDG_CACHE_HOME": "/x", "HF_HOME": "/f"], "/f/hub"),
            (["HOME": "/h", "HF_HOME": "~/f"], "/h/f/hub"),
            (["HOME": "/h", "HF_HOME": "/f", "HF_HUB_CACHE": "/c"], "/c"),
            (["HOME": "/h", "HF_HUB_CACHE": ""], "/h/.cache/huggingface/hub"),
        ])
    func cache(_ environment: [String: String], _ path: String) throws {
        #expect(try HubSettings(environment).cache == path)
    }

    @Test("switches are on for the words that Python's library takes")
    func switches() throws {
        for word in ["1", "ON", "yes", "True"] {
            #expect(try HubSettings(["HF_HUB_OFFLINE": word]).isOffline)
            #expect(try !HubSettings(["HF_HUB_DISABLE_PROGRESS_BARS": word]).showsProgress)
        }
        for word in ["0", "", "no"] { #expect(try !HubSettings(["HF_HUB_OFFLINE": word]).isOffline) }
    }

    @Test(
        "an address that is none is refused",
        arguments: ["x", "ftp://a", "http://", "https://a?b", "https://u@a"])
    func addresses(_ text: String) {
        #expect(throws: HubError.self) { try HubSettings(["HF_ENDPOINT": text]) }
    }

    @Test("slashes at the end of the address do not count")
    func slashes() throws {
        #expect(try HubSettings(["HF_ENDPOINT": "http://a:1/b//"]).endpoint.absoluteString == "http://a:1/b")
    }

    @Test("a token that could begin another header is refused, and not repeated")
    func tokens() {
        let error = #expect(throws: HubError.self) { try HubSettings(["HF_TOKEN": "secret\r\nX: y"]) }
        #expect(error?.description.contains("secret") == false)
    }
}
