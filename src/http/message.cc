#include "http/message.h"

#include <algorithm>

#include "core/ascii.h"

namespace parvis::http {
namespace {

int nibble(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  c = to_lower(c);
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool unreserved(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' || c == '~';
}

}  // namespace

bool Headers::is(std::size_t at, std::string_view name) const {
  return fields_[at].name_size == name.size() && equal_no_case(field(at).first, name);
}

void Headers::add(std::string_view name, std::string_view value) {
  if (fields_.empty()) {  // what most messages need
    fields_.reserve(16);
    bytes_.reserve(512);
  }
  const std::size_t at = bytes_.size();
  const auto size = [](std::size_t n) { return static_cast<std::uint32_t>(n); };
  // The views may be of these very headers.
  if (bytes_.capacity() - at < name.size() + value.size()) {
    std::vector<char> larger;
    larger.reserve(2 * (at + name.size() + value.size()));
    larger.assign(bytes_.begin(), bytes_.end());
    larger.insert(larger.end(), name.begin(), name.end());
    larger.insert(larger.end(), value.begin(), value.end());
    bytes_ = std::move(larger);
  } else {
    bytes_.insert(bytes_.end(), name.begin(), name.end());
    bytes_.insert(bytes_.end(), value.begin(), value.end());
  }
  fields_.push_back({size(at), size(name.size()), size(at + name.size()), size(value.size())});
}

// A value that is replaced leaves its bytes behind in the buffer, unused.
void Headers::set(std::string_view name, std::string_view value) {
  std::size_t first = 0;
  while (first < fields_.size() && !is(first, name)) ++first;
  add(name, value);
  if (first + 1 == fields_.size()) return;
  fields_[first] = fields_.back();
  fields_.pop_back();
  std::size_t kept = first + 1;
  for (std::size_t at = kept; at < fields_.size(); ++at)
    if (!is(at, name)) fields_[kept++] = fields_[at];
  fields_.resize(kept);
}

void Headers::erase(std::string_view name) {
  std::size_t kept = 0;
  for (std::size_t at = 0; at < fields_.size(); ++at)
    if (!is(at, name)) fields_[kept++] = fields_[at];
  fields_.resize(kept);
}

std::optional<std::string_view> Headers::find(std::string_view name) const {
  for (std::size_t at = 0; at < fields_.size(); ++at)
    if (is(at, name)) return field(at).second;
  return std::nullopt;
}

std::vector<std::string_view> Headers::all(std::string_view name) const {
  std::vector<std::string_view> out;
  for (std::size_t at = 0; at < fields_.size(); ++at)
    if (is(at, name)) out.push_back(field(at).second);
  return out;
}

std::size_t Headers::count(std::string_view name) const {
  std::size_t out = 0;
  for (std::size_t at = 0; at < fields_.size(); ++at) out += is(at, name);
  return out;
}

std::string_view Request::path() const {
  const std::string_view all = target;
  return all.substr(0, all.find('?'));
}

std::string_view Request::query() const {
  const std::size_t mark = target.find('?');
  return mark == std::string::npos ? std::string_view{} : std::string_view(target).substr(mark + 1);
}

std::string_view reason_phrase(unsigned status) {
  switch (status) {
    case 100: return "Continue";
    case 101: return "Switching Protocols";
    case 200: return "OK";
    case 201: return "Created";
    case 202: return "Accepted";
    case 203: return "Non-Authoritative Information";
    case 204: return "No Content";
    case 205: return "Reset Content";
    case 206: return "Partial Content";
    case 207: return "Multi-Status";
    case 300: return "Multiple Choices";
    case 301: return "Moved Permanently";
    case 302: return "Found";
    case 303: return "See Other";
    case 304: return "Not Modified";
    case 307: return "Temporary Redirect";
    case 308: return "Permanent Redirect";
    case 400: return "Bad Request";
    case 401: return "Unauthorized";
    case 402: return "Payment Required";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 406: return "Not Acceptable";
    case 408: return "Request Timeout";
    case 409: return "Conflict";
    case 410: return "Gone";
    case 411: return "Length Required";
    case 412: return "Precondition Failed";
    case 413: return "Content Too Large";
    case 414: return "URI Too Long";
    case 415: return "Unsupported Media Type";
    case 416: return "Range Not Satisfiable";
    case 417: return "Expectation Failed";
    case 418: return "I'm a teapot";
    case 422: return "Unprocessable Content";
    case 424: return "Failed Dependency";
    case 426: return "Upgrade Required";
    case 428: return "Precondition Required";
    case 429: return "Too Many Requests";
    case 431: return "Request Header Fields Too Large";
    case 500: return "Internal Server Error";
    case 501: return "Not Implemented";
    case 502: return "Bad Gateway";
    case 503: return "Service Unavailable";
    case 504: return "Gateway Timeout";
    case 505: return "HTTP Version Not Supported";
    case 507: return "Insufficient Storage";
    default: return "Unknown";
  }
}

std::optional<std::string> percent_decode(std::string_view text, bool plus_is_space) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '+' && plus_is_space) {
      out += ' ';
    } else if (text[i] != '%') {
      out += text[i];
    } else {
      if (i + 2 >= text.size()) return std::nullopt;
      const int high = nibble(text[i + 1]), low = nibble(text[i + 2]);
      if (high < 0 || low < 0) return std::nullopt;
      out += static_cast<char>(high << 4 | low);
      i += 2;
    }
  }
  return out;
}

std::string percent_encode(std::string_view text, bool keep_slash) {
  static constexpr char kHex[] = "0123456789ABCDEF";
  std::string out;
  out.reserve(text.size());
  for (char c : text) {
    if (unreserved(c) || (c == '/' && keep_slash)) {
      out += c;
    } else {
      const auto byte = static_cast<unsigned char>(c);
      out += '%';
      out += kHex[byte >> 4];
      out += kHex[byte & 15];
    }
  }
  return out;
}

std::vector<std::pair<std::string, std::string>> parse_query(std::string_view query) {
  std::vector<std::pair<std::string, std::string>> out;
  while (!query.empty()) {
    const std::size_t amp = query.find('&');
    const std::string_view pair = query.substr(0, amp);
    query.remove_prefix(amp == std::string_view::npos ? query.size() : amp + 1);
    if (pair.empty()) continue;
    const std::size_t eq = pair.find('=');
    const std::string_view name = pair.substr(0, eq);
    const std::string_view value = eq == std::string_view::npos ? std::string_view{} : pair.substr(eq + 1);
    out.emplace_back(percent_decode(name, true).value_or(std::string(name)), percent_decode(value, true).value_or(std::string(value)));
  }
  return out;
}

}  // namespace parvis::http
