#include "services/dynamodb/number.h"

#include <algorithm>
#include <cstdint>

namespace parvis::dynamodb {
namespace {

constexpr std::string_view kOverflow =
    "Number overflow. Attempting to store a number with magnitude larger than supported range";
constexpr std::string_view kUnderflow =
    "Number underflow. Attempting to store a number with magnitude smaller than supported range";
constexpr std::string_view kTooManyDigits = "Attempting to store more than 38 significant digits in a Number";

std::unexpected<std::string> fail(std::string_view message) { return std::unexpected(std::string(message)); }

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// Takes the digits at the front of `text`.
std::string_view take_digits(std::string_view& text) {
  std::size_t n = 0;
  while (n < text.size() && is_digit(text[n])) ++n;
  std::string_view digits = text.substr(0, n);
  text.remove_prefix(n);
  return digits;
}

// The exponent of the text, clamped far outside of the allowed range, so that no arithmetic can overflow.
int clamped_exponent(bool negative, std::string_view digits) {
  long value = 0;
  for (char c : digits) value = std::min(value * 10 + (c - '0'), 10'000'000L);
  return static_cast<int>(negative ? -value : value);
}

}  // namespace

std::expected<Number, std::string> Number::make(bool negative, int exponent, std::string digits) {
  const std::size_t first = digits.find_first_not_of('0');
  if (first == std::string::npos) return Number();
  digits.erase(0, first);
  exponent -= static_cast<int>(first);
  digits.erase(digits.find_last_not_of('0') + 1);
  if (exponent > kNumberExponentMax) return fail(kOverflow);
  if (exponent < kNumberExponentMin) return fail(kUnderflow);
  if (digits.size() > kNumberDigitsMax) return fail(kTooManyDigits);
  Number out;
  out.negative_ = negative;
  out.exponent_ = exponent;
  out.digits_ = std::move(digits);
  return out;
}

std::expected<Number, std::string> Number::parse(std::string_view text) {
  const auto invalid = [text] {
    std::string message = "The parameter cannot be converted to a numeric value";
    if (!text.empty()) message.append(": ").append(text.substr(0, 1024));
    return std::unexpected(std::move(message));
  };
  if (text.size() > 1 << 20) return fail(kTooManyDigits);
  std::string_view rest = text;
  bool negative = false;
  if (!rest.empty() && (rest[0] == '+' || rest[0] == '-')) {
    negative = rest[0] == '-';
    rest.remove_prefix(1);
  }
  const std::string_view whole = take_digits(rest);
  std::string_view fraction;
  if (!rest.empty() && rest[0] == '.') {
    rest.remove_prefix(1);
    fraction = take_digits(rest);
  }
  if (whole.empty() && fraction.empty()) return invalid();
  int exponent = 0;
  if (!rest.empty() && (rest[0] == 'e' || rest[0] == 'E')) {
    rest.remove_prefix(1);
    bool exponent_negative = false;
    if (!rest.empty() && (rest[0] == '+' || rest[0] == '-')) {
      exponent_negative = rest[0] == '-';
      rest.remove_prefix(1);
    }
    const std::string_view digits = take_digits(rest);
    if (digits.empty()) return invalid();
    exponent = clamped_exponent(exponent_negative, digits);
  }
  if (!rest.empty()) return invalid();
  std::string digits(whole);
  digits += fraction;
  return make(negative, exponent + static_cast<int>(whole.size()) - 1, std::move(digits));
}

Number Number::from_int(std::int64_t value) { return parse(std::to_string(value)).value(); }

std::string Number::text() const {
  if (is_zero()) return "0";
  std::string out = negative_ ? "-" : "";
  const int count = static_cast<int>(digits_.size());
  if (exponent_ < 0) {
    out += "0." + std::string(static_cast<std::size_t>(-exponent_ - 1), '0') + digits_;
  } else if (count <= exponent_ + 1) {
    out += digits_ + std::string(static_cast<std::size_t>(exponent_ + 1 - count), '0');
  } else {
    out += digits_.substr(0, static_cast<std::size_t>(exponent_ + 1)) + "." +
           digits_.substr(static_cast<std::size_t>(exponent_ + 1));
  }
  return out;
}

std::size_t Number::size_bytes() const {
  if (is_zero()) return 1;
  return (digits_.size() + 1) / 2 + 1 + (negative_ ? 1 : 0);
}

Number Number::negated() const {
  Number out = *this;
  if (!is_zero()) out.negative_ = !negative_;
  return out;
}

std::strong_ordering Number::compare_magnitude(const Number& a, const Number& b) {
  if (a.is_zero() || b.is_zero()) return !a.is_zero() <=> !b.is_zero();
  if (auto order = a.exponent_ <=> b.exponent_; order != 0) return order;
  return a.digits_.compare(b.digits_) <=> 0;  // canonical digits compare as fractions do
}

std::strong_ordering Number::operator<=>(const Number& other) const {
  if (negative_ != other.negative_) return negative_ ? std::strong_ordering::less : std::strong_ordering::greater;
  return negative_ ? compare_magnitude(other, *this) : compare_magnitude(*this, other);
}

std::expected<Number, std::string> Number::add(const Number& a, const Number& b) {
  if (a.is_zero()) return b;
  if (b.is_zero()) return a;
  const bool subtract = a.negative_ != b.negative_;
  const bool swap = compare_magnitude(a, b) < 0;
  const Number& large = swap ? b : a;
  const Number& small = swap ? a : b;
  // Both as integers over one scale: at most 256 + 38 digits.
  const int low = std::min(large.exponent_ - static_cast<int>(large.digits_.size()),
                           small.exponent_ - static_cast<int>(small.digits_.size())) + 1;
  const std::size_t width = static_cast<std::size_t>(large.exponent_ - low + 1);
  const auto digit_at = [&](const Number& n, std::size_t place) {  // place 0 is 10^low
    const int index = n.exponent_ - low - static_cast<int>(place);
    if (index < 0 || index >= static_cast<int>(n.digits_.size())) return 0;
    return n.digits_[static_cast<std::size_t>(index)] - '0';
  };
  std::string digits(width + 1, '0');
  int carry = 0;
  for (std::size_t place = 0; place < width; ++place) {
    int sum = digit_at(large, place) + carry + (subtract ? -digit_at(small, place) : digit_at(small, place));
    carry = sum < 0 ? -1 : sum / 10;
    if (sum < 0) sum += 10;
    digits[width - place] = static_cast<char>('0' + sum % 10);
  }
  digits[0] = static_cast<char>('0' + carry);
  return make(large.negative_, large.exponent_ + 1, std::move(digits));
}

std::expected<Number, std::string> Number::sub(const Number& a, const Number& b) { return add(a, b.negated()); }

void Number::append_key(std::string& out) const {
  if (is_zero()) {
    out.push_back('\x02');
    return;
  }
  const auto push = [&](unsigned byte) { out.push_back(static_cast<char>(negative_ ? 255 - byte : byte)); };
  out.push_back(negative_ ? '\x01' : '\x03');
  push(static_cast<unsigned>(exponent_ - kNumberExponentMin));
  for (std::size_t i = 0; i < digits_.size(); i += 2) {
    const int second = i + 1 < digits_.size() ? digits_[i + 1] - '0' : 0;
    push(static_cast<unsigned>((digits_[i] - '0') * 10 + second + 1));
  }
  push(0);
}

void Number::append_stored(std::string& out) const {
  // One byte: digit count, high bit the sign. Then the exponent, then the digits in pairs.
  out.push_back(static_cast<char>(digits_.size() | (negative_ ? 0x80u : 0u)));
  if (is_zero()) return;
  out.push_back(static_cast<char>(exponent_ - kNumberExponentMin));
  for (std::size_t i = 0; i < digits_.size(); i += 2) {
    const int second = i + 1 < digits_.size() ? digits_[i + 1] - '0' : 0;
    out.push_back(static_cast<char>((digits_[i] - '0') * 10 + second));
  }
}

std::expected<Number, std::string> Number::take_stored(std::string_view& in) {
  if (in.empty()) return fail("stored number is cut");
  const auto head = static_cast<unsigned char>(in[0]);
  const std::size_t count = head & 0x7f;
  in.remove_prefix(1);
  if (count == 0) return Number();
  const std::size_t bytes = (count + 1) / 2;
  if (count > kNumberDigitsMax || in.size() < bytes + 1) return fail("stored number is cut");
  const int exponent = static_cast<unsigned char>(in[0]) + kNumberExponentMin;
  std::string digits;
  for (std::size_t i = 0; i < bytes; ++i) {
    const auto pair = static_cast<unsigned char>(in[1 + i]);
    if (pair > 99) return fail("stored number has a bad digit");
    digits.push_back(static_cast<char>('0' + pair / 10));
    if (digits.size() < count) digits.push_back(static_cast<char>('0' + pair % 10));
  }
  in.remove_prefix(bytes + 1);
  return make((head & 0x80) != 0, exponent, std::move(digits));
}

}  // namespace parvis::dynamodb
