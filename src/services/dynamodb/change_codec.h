// dynamodb/change_codec.h: the stored form of a stream's change: 0x01, kind and flags, when (8 bytes), and keys, old image
// and new image, each as its length (8 bytes; 0: absent) and encode_item().
#pragma once

#include "services/dynamodb/change_stream.h"

namespace parvis::dynamodb {

std::string encode_change(const Change& change);
// Without the position, which is in the key. Throws InternalServerError for damaged bytes.
Change decode_change(std::string_view bytes);

}  // namespace parvis::dynamodb
