#include "http/response_head.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <ctime>

#include "core/time_format.h"

namespace parvis::http {
namespace {

constexpr auto kNameLetters = [] {
  std::array<bool, 256> out{};
  for (const unsigned char c : std::string_view("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$%&'*+-.^_`|~")) out[c] = true;
  return out;
}();

bool is_name(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](unsigned char c) { return kNameLetters[c]; });
}

// All of it is looked at, which the compiler does many characters at a time.
bool is_value(std::string_view text) {
  unsigned char bad = 0;
  for (const unsigned char c : text) bad |= static_cast<unsigned char>((c < 0x20 && c != '\t') || c == 0x7f);
  return bad == 0;
}

bool same_name(std::string_view name, std::string_view lower) {
  return name.size() == lower.size() && std::equal(name.begin(), name.end(), lower.begin(), [](char a, char b) {
    return (a >= 'A' && a <= 'Z' ? static_cast<char>(a + ('a' - 'A')) : a) == b;
  });
}

bool is_servers_business(std::string_view name) {
  switch (name.size()) {
    case 4: return same_name(name, "date");
    case 10: return same_name(name, "connection") || same_name(name, "keep-alive");
    case 14: return same_name(name, "content-length");
    case 17: return same_name(name, "transfer-encoding");
    default: return false;
  }
}

// The Date header's text, made once a second and thread.
const std::string& date_now() {
  thread_local std::time_t at = 0;
  thread_local std::string text;
  const std::time_t now = std::time(nullptr);
  if (now != at || text.empty()) {
    at = now;
    text = format_rfc1123(Millis(std::chrono::seconds(now)));
  }
  return text;
}

void append_number(std::string& out, std::uint64_t value) {
  char digits[20];
  const auto end = std::to_chars(digits, digits + sizeof digits, value).ptr;
  out.append(digits, end);
}

std::optional<std::uint64_t> given_length(const Response& response) {
  const auto text = response.headers.find("content-length");
  if (!text) return std::nullopt;
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), value);
  if (error != std::errc{} || end != text->data() + text->size()) return std::nullopt;
  return value;
}

}  // namespace

Framing choose_framing(const Response& response, bool head_request, bool http11, bool keep_alive) {
  Framing framing{.keep_alive = keep_alive};
  const std::optional<std::uint64_t> given = given_length(response);
  if (response.status < 200 || response.status == 204 || response.status == 304) {
    framing.kind = Framing::Kind::kNone;
  } else if (response.stream && !given) {
    framing.kind = http11 ? Framing::Kind::kChunked : Framing::Kind::kUntilClose;
    if (!http11) framing.keep_alive = false;
  } else {
    framing.length = response.stream || (head_request && response.body.empty() && given) ? given.value_or(0) : response.body.size();
  }
  return framing;
}

bool append_head(std::string& out, const Response& response, const Framing& framing, bool http11) {
  const std::size_t start = out.size();
  out += "HTTP/1.1 ";
  append_number(out, response.status);
  out += ' ';
  out += reason_phrase(response.status);
  out += "\r\n";
  for (const auto& [name, value] : response.headers) {
    if (is_servers_business(name)) continue;
    if (!is_name(name) || !is_value(value)) {
      out.resize(start);
      return false;
    }
    out += name;
    out += ": ";
    out += value;
    out += "\r\n";
  }
  out += "Date: ";
  out += date_now();
  out += "\r\n";
  if (!framing.keep_alive) out += "Connection: close\r\n";
  else if (!http11) out += "Connection: keep-alive\r\n";
  if (framing.kind == Framing::Kind::kLength) {
    out += "Content-Length: ";
    append_number(out, framing.length);
    out += "\r\n";
  } else if (framing.kind == Framing::Kind::kChunked) {
    out += "Transfer-Encoding: chunked\r\n";
  }
  out += "\r\n";
  return true;
}

}  // namespace parvis::http
