// functions/network/dns.h: questions of a worker's resolver, and answers to them. Pure; every byte is untrusted.
//
// One question per message, as every resolver sends them. The name of a question is never compressed, so a pointer in it is an
// error and there is nothing to follow in circles. Additional records (EDNS) are left unread.
// Source: RFC 1035 sections 3.1, 4.1 and 4.2; RFC 2308 (an answer without records).
#pragma once

#include <array>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

namespace parvis::network {

enum class Rcode : std::uint8_t { kNone = 0, kFormat = 1, kServer = 2, kNoSuchName = 3, kNotImplemented = 4, kRefused = 5 };

inline constexpr std::uint16_t kTypeA = 1, kTypeAaaa = 28, kTypeHttps = 65;
inline constexpr std::size_t kQueryBytesMax = 1232;  // more is no question

struct Question {
  std::string name;       // lower case, labels joined by dots, no dot at the end; "" for the root
  std::uint16_t type = 0, klass = 0;
  std::size_t end = 0;    // of the question within the message
};

// The error: what to answer, or nullopt when nothing is owed (an answer itself, or too short for an id).
std::expected<Question, std::optional<Rcode>> read_question(std::string_view query);

// The whole answer to `query`: its question (when it could be read) and, with kNone and an address, one A record of 60 s.
std::string answer(std::string_view query, const Question* question, Rcode code, std::optional<std::array<std::uint8_t, 4>> address = std::nullopt);

}  // namespace parvis::network
