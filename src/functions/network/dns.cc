#include "functions/network/dns.h"

#include "core/ascii.h"

namespace parvis::network {
namespace {

constexpr std::size_t kHeaderBytes = 12, kLabelBytesMax = 63, kNameBytesMax = 255;
constexpr std::uint32_t kSecondsToLive = 60;

unsigned byte_at(std::string_view text, std::size_t at) { return static_cast<unsigned char>(text[at]); }
unsigned u16(std::string_view text, std::size_t at) { return byte_at(text, at) << 8 | byte_at(text, at + 1); }
void put16(std::string& out, unsigned value) {
  out += static_cast<char>(value >> 8);
  out += static_cast<char>(value);
}

// Reads the labels from `at` on, which ends behind the name's last byte.
bool read_name(std::string_view query, std::size_t& at, std::string& name) {
  for (std::size_t read = 0;;) {
    if (at >= query.size()) return false;
    const std::size_t length = byte_at(query, at++);
    if (length == 0) return true;
    read += length + 1;
    if (length > kLabelBytesMax || read >= kNameBytesMax || query.size() - at < length) return false;
    if (!name.empty()) name += '.';
    for (const char c : query.substr(at, length)) {
      if (static_cast<unsigned char>(c) <= ' ' || c == '.' || static_cast<unsigned char>(c) > '~') return false;
      name += to_lower(c);
    }
    at += length;
  }
}

}  // namespace

std::expected<Question, std::optional<Rcode>> read_question(std::string_view query) {
  if (query.size() < kHeaderBytes || (byte_at(query, 2) & 0x80) != 0) return std::unexpected(std::nullopt);
  if ((byte_at(query, 2) & 0x78) != 0) return std::unexpected(Rcode::kNotImplemented);
  if (query.size() > kQueryBytesMax || u16(query, 4) != 1 || u16(query, 6) != 0 || u16(query, 8) != 0) return std::unexpected(Rcode::kFormat);
  Question question;
  std::size_t at = kHeaderBytes;
  if (!read_name(query, at, question.name) || query.size() - at < 4) return std::unexpected(Rcode::kFormat);
  question.type = static_cast<std::uint16_t>(u16(query, at));
  question.klass = static_cast<std::uint16_t>(u16(query, at + 2));
  question.end = at + 4;
  return question;
}

std::string answer(std::string_view query, const Question* question, Rcode code, std::optional<std::array<std::uint8_t, 4>> address) {
  const bool found = question && code == Rcode::kNone && address;
  std::string out(query.substr(0, 2));
  out += static_cast<char>(0x80 | (byte_at(query, 2) & 0x79));  // an answer; the operation and "recursion desired" as asked
  out += static_cast<char>(0x80 | static_cast<unsigned>(code));
  put16(out, question ? 1 : 0);
  put16(out, found ? 1 : 0);
  put16(out, 0);
  put16(out, 0);
  if (question) out += query.substr(kHeaderBytes, question->end - kHeaderBytes);
  if (!found) return out;
  put16(out, 0xc000 | kHeaderBytes);  // the question's name
  put16(out, kTypeA);
  put16(out, 1);
  put16(out, kSecondsToLive >> 16);
  put16(out, kSecondsToLive & 0xffff);
  put16(out, 4);
  for (const std::uint8_t part : *address) out += static_cast<char>(part);
  return out;
}

}  // namespace parvis::network
