import CCairo

/// A place on a drawing in pixels, from the top left corner.
package struct Point: Hashable, Sendable {
    package var x: Double
    package var y: Double

    package init(x: Double, y: Double) {
        self.x = x
        self.y = y
    }
}

/// A rectangle of a drawing in pixels.
package struct Frame: Hashable, Sendable {
    var left: Double
    var top: Double
    var right: Double
    var bottom: Double
    var width: Double { right - left }
    var height: Double { bottom - top }
}

/// A colour picture on which cairo draws antialiased lines, discs and texts.
package final class Canvas {
    private let surface: OpaquePointer
    let context: OpaquePointer
    /// The name of the typeface.
    let typeface: String

    /// A canvas of one colour.
    /// - Parameter typeface: a name that fontconfig (on macOS, Core Text) knows.
    /// - Precondition: both sides are at least 1 and at most 32,767, as cairo's surfaces are.
    package init(width: Int, height: Int, colour: Plot.Colour = .white, typeface: String = "sans-serif") {
        let sides = 1...32_767
        precondition(sides.contains(width) && sides.contains(height), "a canvas of \(width)×\(height)")
        surface = cairo_image_surface_create(CAIRO_FORMAT_RGB24, Int32(width), Int32(height))
        context = cairo_create(surface)
        self.typeface = Canvas.canWrite(in: typeface) ? typeface : Canvas.builtInTypeface
        // Colours at the edges of letters, which some screens want, have no place in a file.
        let options = cairo_font_options_create()
        cairo_font_options_set_antialias(options, CAIRO_ANTIALIAS_GRAY)
        cairo_font_options_set_hint_style(options, CAIRO_HINT_STYLE_NONE)
        cairo_font_options_set_hint_metrics(options, CAIRO_HINT_METRICS_OFF)
        cairo_set_font_options(context, options)
        cairo_font_options_destroy(options)
        cairo_set_line_cap(context, CAIRO_LINE_CAP_ROUND)
        cairo_set_line_join(context, CAIRO_LINE_JOIN_ROUND)
        use(colour)
        cairo_paint(context)
    }

    deinit {
        cairo_destroy(context)
        cairo_surface_destroy(surface)
    }

    /// What has been drawn so far, in three channels.
    package var picture: Picture {
        cairo_surface_flush(surface)
        let status = cairo_status(context)
        guard status == CAIRO_STATUS_SUCCESS, let data = cairo_image_surface_get_data(surface) else {
            preconditionFailure("cairo cannot draw: \(String(cString: cairo_status_to_string(status)))")
        }
        let stride = Int(cairo_image_surface_get_stride(surface))
        let width = Int(cairo_image_surface_get_width(surface))
        let height = Int(cairo_image_surface_get_height(surface))
        var pixels: [UInt8] = []
        pixels.reserveCapacity(width * height * 3)
        for y in 0..<height {
            let row = UnsafeRawPointer(data + y * stride)
            for x in 0..<width {
                // A pixel is 0x00RRGGBB in the order of the machine's bytes.
                let pixel = row.load(fromByteOffset: 4 * x, as: UInt32.self)
                pixels.append(UInt8(truncatingIfNeeded: pixel >> 16))
                pixels.append(UInt8(truncatingIfNeeded: pixel >> 8))
                pixels.append(UInt8(truncatingIfNeeded: pixel))
            }
        }
        return Picture(width: width, height: height, channels: 3, pixels: pixels)
    }

    /// Draws lines through points with round ends. Where the lines of one call cross, nothing adds up.
    package func stroke(
        _ lines: [[Point]], width: Double, colour: Plot.Colour, opacity: Double = 1, within clip: Frame? = nil
    ) {
        painting(colour, opacity, within: clip) {
            for line in lines {
                guard let start = line.first else { continue }
                cairo_move_to(context, start.x, start.y)
                for point in line.count == 1 ? line[...] : line.dropFirst() {
                    cairo_line_to(context, point.x, point.y)
                }
            }
            cairo_set_line_width(context, width)
            cairo_stroke(context)
        }
    }

    /// Draws discs around points. Where the discs of one call overlap, nothing adds up.
    package func dots(
        _ points: [Point], radius: Double, colour: Plot.Colour, opacity: Double = 1, within clip: Frame? = nil
    ) {
        painting(colour, 1, within: clip) {
            // A path of all discs would take time that grows with their square.
            cairo_push_group(context)
            for point in points {
                cairo_arc(context, point.x, point.y, radius, 0, 2 * .pi)
                cairo_fill(context)
            }
            cairo_pop_group_to_source(context)
            cairo_paint_with_alpha(context, opacity)
        }
    }

    /// Fills a rectangle.
    func fill(_ area: Frame, colour: Plot.Colour, opacity: Double = 1) {
        painting(colour, opacity) {
            cairo_rectangle(context, area.left, area.top, area.width, area.height)
            cairo_fill(context)
        }
    }

    private func painting(
        _ colour: Plot.Colour, _ opacity: Double, within clip: Frame? = nil, _ draw: () -> Void
    ) {
        cairo_save(context)
        if let clip {
            cairo_rectangle(context, clip.left, clip.top, clip.width, clip.height)
            cairo_clip(context)
        }
        use(colour, opacity)
        draw()
        cairo_restore(context)
    }

    func use(_ colour: Plot.Colour, _ opacity: Double = 1) {
        let parts = colour.values.map { Double($0) / 255 }
        cairo_set_source_rgba(context, parts[0], parts[1], parts[2], opacity)
    }
}
