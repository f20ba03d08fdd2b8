#include "clip_vocabulary.h"

static const unsigned char merges[] = {
#embed "merges.txt.gz"
};

const unsigned char *clip_merges(size_t *byte_count) {
    *byte_count = sizeof merges;
    return merges;
}
