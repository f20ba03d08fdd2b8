import CCairo

/// Where a text lies relative to the point that it is drawn at.
package enum TextAnchor {
    case start, middle, end
}

extension Canvas {
    /// cairo's own typeface, which is there on a machine without fonts. It has the letters of ASCII.
    package static let builtInTypeface = "@cairo:sans"

    /// Writes a text. Characters that the typeface lacks are boxes.
    ///
    /// - Parameters:
    ///   - at: A point of the base line.
    ///   - size: Height of a capital in pixels.
    ///   - upwards: Whether the text runs from below to above instead of from left to right.
    package func write(
        _ text: String, at origin: Point, size: Double, colour: Plot.Colour, anchor: TextAnchor = .start,
        upwards: Bool = false, bold: Bool = false
    ) {
        let length = width(of: text, size: size, bold: bold)
        cairo_save(context)
        defer { cairo_restore(context) }
        cairo_translate(context, origin.x, origin.y)
        if upwards { cairo_rotate(context, -.pi / 2) }
        use(colour)
        var pen = anchor == .start ? 0 : anchor == .middle ? -length / 2 : -length
        for piece in pieces(of: text) {
            select(piece, size: size, bold: bold)
            cairo_move_to(context, pen, -piece.rise * size)
            cairo_show_text(context, piece.text)
            pen += advance(of: piece)
        }
    }

    /// Length of a text in pixels where capitals are `size` pixels high.
    package func width(of text: String, size: Double, bold: Bool = false) -> Double {
        pieces(of: text).reduce(0) { sum, piece in
            select(piece, size: size, bold: bold)
            return sum + advance(of: piece)
        }
    }

    /// Length of a text on any canvas.
    static func width(of text: String, size: Double) -> Double {
        Canvas(width: 1, height: 1).width(of: text, size: size)
    }

    /// Whether the machine can write in a typeface, or in another that it takes in its place.
    static func canWrite(in typeface: String) -> Bool {
        let surface = cairo_image_surface_create(CAIRO_FORMAT_RGB24, 1, 1)
        let context = cairo_create(surface)
        defer {
            cairo_destroy(context)
            cairo_surface_destroy(surface)
        }
        cairo_select_font_face(context, typeface, CAIRO_FONT_SLANT_NORMAL, CAIRO_FONT_WEIGHT_NORMAL)
        cairo_show_text(context, "0")
        return cairo_status(context) == CAIRO_STATUS_SUCCESS
    }

    private func select(_ piece: Piece, size: Double, bold: Bool) {
        cairo_select_font_face(
            context, typeface, CAIRO_FONT_SLANT_NORMAL,
            bold ? CAIRO_FONT_WEIGHT_BOLD : CAIRO_FONT_WEIGHT_NORMAL)
        // Capitals of common typefaces are this high.
        cairo_set_font_size(context, size * piece.scale / 0.72)
    }

    private func advance(of piece: Piece) -> Double {
        var extents = cairo_text_extents_t()
        cairo_text_extents(context, piece.text, &extents)
        return extents.x_advance
    }

    // MARK: Raised and lowered digits

    /// A part of a text on one base line.
    private struct Piece {
        var text: String
        /// Its size beside that of the text.
        var scale = 1.0
        /// How far its base line is above the text's, in heights of a capital.
        var rise = 0.0
    }

    /// The text in parts: raised and lowered digits are small plain ones, because few typefaces have all of them.
    private func pieces(of text: String) -> [Piece] {
        var pieces: [Piece] = []
        for character in text {
            var piece = Piece(text: String(character))
            if let digit = raised[character] { piece = Piece(text: digit, scale: 0.75, rise: 0.5) }
            if let digit = lowered[character] { piece = Piece(text: digit, scale: 0.75, rise: -0.25) }
            if isBuiltIn, let plain = plain[piece.text] { piece.text = plain }
            if let last = pieces.last, last.rise == piece.rise {
                pieces[pieces.count - 1].text += piece.text
            } else {
                pieces.append(piece)
            }
        }
        return pieces
    }

    /// Whether texts are in cairo's own typeface: it is asked for, or no other is there.
    private var isBuiltIn: Bool {
        cairo_select_font_face(context, typeface, CAIRO_FONT_SLANT_NORMAL, CAIRO_FONT_WEIGHT_NORMAL)
        return cairo_scaled_font_get_type(cairo_get_scaled_font(context)) == CAIRO_FONT_TYPE_USER
    }
}

private let raised = Dictionary(uniqueKeysWithValues: zip("⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺", digits))
private let lowered = Dictionary(uniqueKeysWithValues: zip("₀₁₂₃₄₅₆₇₈₉₋₊", digits))
private let digits = "0123456789−+".map(String.init)
/// What stands in numbers and is not of ASCII.
private let plain = ["−": "-", "·": "x", "×": "x"]
