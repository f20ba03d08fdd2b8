#include "clip_vocabulary.h"

// Asking for C23 would take the functions of GNU from every room that imports the C library.
#pragma clang diagnostic ignored "-Wc23-extensions"

static const unsigned char merges[] = {
#embed "merges.txt.gz"
};

const unsigned char *clip_merges(size_t *byte_count) {
    *byte_count = sizeof merges;
    return merges;
}
