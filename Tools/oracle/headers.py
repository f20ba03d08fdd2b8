"""safetensors files at and beyond the edge of the format (RELIABILITY.md, section 2A)."""
import json
import struct

GOOD = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}
DATA = b"\x00" * 8


def file(header, data=DATA, length=None):
    """The bytes of a file: `header` is JSON (str or bytes) or an object; `length` overrides the true length."""
    if not isinstance(header, (str, bytes)):
        header = json.dumps(header)
    if isinstance(header, str):
        header = header.encode()
    return struct.pack("<Q", len(header) if length is None else length) + header + data


def one(**changes):
    return {"a": {**GOOD, **changes}}


def text(offsets="[0,8]", shape="[2]", kind='"F32"'):
    return f'{{"a":{{"dtype":{kind},"shape":{shape},"data_offsets":{offsets}}}}}'


def rejected():
    """(name, bytes) of files that no reader may accept."""
    good = json.dumps(one())
    yield "A1 empty file", b""
    yield "A2 seven bytes", b"\x01" * 7
    yield "A3 length 0", struct.pack("<Q", 0)
    yield "A4 length beyond the file", file(good, b"", 10_000)
    yield "A5 length 2^63", file(good, DATA, 2**63)
    yield "A5 length 2^64-1", file(good, DATA, 2**64 - 1)
    yield "A6 length 100,000,001", file(good, DATA, 100_000_001)
    yield "A7 length 2^64-8", file(good, DATA, 2**64 - 8)
    yield "A8 not UTF-8", file(b'{"\xff":' + json.dumps(GOOD).encode() + b"}")
    yield "A9 a brace alone", file("{", b"")
    for value in ("[]", "null", '"x"', "1"):
        yield f"A10 header {value}", file(value, b"")
    yield "A11 nested brackets", file("[" * 100_000 + "]" * 100_000, b"")
    yield "A11 nested objects", file('{"a":' * 100_000 + "1" + "}" * 100_000, b"")
    yield "A13 duplicate name", file(f'{{"a":{json.dumps(GOOD)},"a":{json.dumps(GOOD)}}}')
    yield "A14 duplicate inner key", file('{"a":{"dtype":"F32","shape":[2],"shape":[2],"data_offsets":[0,8]}}')
    yield "A15 duplicate by escape", file(f'{{"a":{json.dumps(GOOD)},"\\u0061":{json.dumps(GOOD)}}}')
    yield "A17 overlap", file({f"t{i}": GOOD for i in range(10)})
    yield "A18 hole", file({"a": GOOD, "b": {**GOOD, "data_offsets": [12, 20]}}, b"\0" * 20)
    yield "A18 hole at the start", file(one(data_offsets=[4, 12]), b"\0" * 12)
    yield "A19 bytes after the last tensor", file(good, DATA + b"x")
    yield "A20 two bytes short", file(good, DATA[:-2])
    yield "A21 end before begin", file(one(data_offsets=[8, 0]))
    yield "A22 begin beyond the end", file(one(data_offsets=[80, 88]))
    yield "A23 negative offset", file(one(data_offsets=[-8, 0]))
    for offsets in ("[0.0,8]", "[0,8e0]", '["0","8"]', "[0,18446744073709551616]", "[00,8]", "[+0,8]", "[0x0,8]",
                    "[0]", "[0,8,8]", "[]", "null", "[0,true]", "[-0,8]"):
        yield f"A24-26 offsets {offsets}", file(text(offsets=offsets))
    for shape in ("[2,18446744073709551614]", "[2,9223372036854775807]", "[4294967296,4294967296]", "[-2]", "[2.0]",
                  "2", "null", '["2"]', "[1e0,2]", "[02]"):
        yield f"A27 shape {shape}", file(text(shape=shape))
    yield "A28 shape too small", file(one(shape=[1]))
    yield "A28 shape too large", file(one(shape=[3]))
    yield "A29 half a byte", file(one(dtype="F4", shape=[3], data_offsets=[0, 1]), b"\0")
    for kind in ("F33", "f32", "", "float32"):
        yield f"A30 dtype '{kind}'", file(one(dtype=kind))
    yield "A30 dtype is a number", file(text(kind="32"))
    for value in (1, [1], {"a": {"b": "c"}}, {"a": 1}, None, "x"):
        if value is not None:
            yield f"A31 metadata {value}", file({"__metadata__": value, **one()})
    yield "A33 byte-order mark", file(b"\xef\xbb\xbf" + good.encode())
    yield "A34 UTF-16", file(good.encode("utf-16"))
    yield "A35 trailing comma", file(good[:-1] + ",}")
    yield "A35 comma in the shape", file(text(shape="[2,]"))
    yield "A36 padded with NUL", file(good.encode() + b"\0\0\0")
    yield "text after the object", file(good + "{}")
    yield "missing dtype", file('{"a":{"shape":[2],"data_offsets":[0,8]}}')
    yield "missing shape", file('{"a":{"dtype":"F32","data_offsets":[0,8]}}')
    yield "missing offsets", file('{"a":{"dtype":"F32","shape":[2]}}')
    yield "tensor is a number", file('{"a":1}', b"")
    yield "single quotes", file(good.replace('"', "'"))
    yield "comment", file("/* */" + good)
    yield "NaN as a dimension", file(text(shape="[NaN]"))
    yield "control character in a name", file(b'{"a\x01":' + json.dumps(GOOD).encode() + b"}")
    yield "lone surrogate in a name", file(f'{{"\\ud800":{json.dumps(GOOD)}}}')


def accepted():
    """(name, bytes, number of tensors) of unusual files that are right."""
    good = json.dumps(one())
    yield "A16 names equal after normalisation", file(
        {"\u00e9": GOOD, "e\u0301": {**GOOD, "data_offsets": [8, 16]}}, b"\0" * 16), 2
    yield "A38 trailing spaces", file(good + "     "), 1
    yield "A39 scalar", file(one(shape=[], data_offsets=[0, 4]), b"\0" * 4), 1
    yield "A40 dimension 0", file(one(shape=[0, 3], data_offsets=[0, 0]), b""), 1
    yield "A41 unaligned start", file({"b": {"dtype": "U8", "shape": [1], "data_offsets": [0, 1]},
                                       "a": {**GOOD, "data_offsets": [1, 9]}}, b"\0" * 9), 2
    yield "A42 not a number", file(good, struct.pack("<ff", float("nan"), float("inf"))), 1
    yield "A43 name that is a path", file({"../../x": GOOD}), 1
    yield "A43 long name", file({"n" * 1_000_000: GOOD}), 1
    yield "A43 name with NUL", file({"a\u0000b": GOOD}), 1
    yield "tensors listed out of order", file({"b": {**GOOD, "data_offsets": [8, 16]}, "a": GOOD}, b"\0" * 16), 2
    yield "no tensors", file("{}", b""), 0
    yield "metadata only strings", file({"__metadata__": {"format": "pt", "x": "\u00e9\n"}, **one()}), 1
    yield "escaped name", file(f'{{"\\u0061\\"\\\\\\/\\n":{json.dumps(GOOD)}}}'), 1
    yield "A37 leading spaces", file("   " + good), 1
