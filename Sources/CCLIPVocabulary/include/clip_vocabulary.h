#pragma once
#include <stddef.h>

/// The merges of CLIP's byte pairs, the first to be joined first, one a line, as a gzip file.
/// They are the first 48,894 of `bpe_simple_vocab_16e6.txt` in open_clip_torch 3.3.0; LICENSE stands beside them.
const unsigned char *clip_merges(size_t *byte_count);
