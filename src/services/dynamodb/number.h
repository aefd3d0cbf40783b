// dynamodb/number.h: DynamoDB's number: up to 38 significant digits, magnitude 1e-130 to 9.99…e125, or zero. Exact.
// Source: Developer Guide, "Supported data types", Number.
#pragma once

#include <compare>
#include <expected>
#include <string>
#include <string_view>

namespace parvis::dynamodb {

inline constexpr int kNumberDigitsMax = 38;
inline constexpr int kNumberExponentMin = -130;
inline constexpr int kNumberExponentMax = 125;

class Number {  // a value type; always canonical: no leading and no trailing zeros in the digits
 public:
  Number() = default;  // zero
  // The message of DynamoDB's ValidationException when `text` is no number or outside of the limits.
  static std::expected<Number, std::string> parse(std::string_view text);
  static Number from_int(std::int64_t value);

  std::string text() const;  // plain decimal, without an exponent, as the service returns it
  bool is_zero() const { return digits_.empty(); }
  bool negative() const { return negative_; }
  // The value is d.ddd × 10^exponent(), with these digits, which neither begin nor end with a zero; none for zero.
  std::string_view digits() const { return digits_; }
  int exponent() const { return exponent_; }
  std::size_t size_bytes() const;  // as DynamoDB counts it towards the item size

  // Exact results; an error when they pass the limits.
  static std::expected<Number, std::string> add(const Number& a, const Number& b);
  static std::expected<Number, std::string> sub(const Number& a, const Number& b);
  Number negated() const;

  // Appends bytes that order as the numbers do and end by themselves.
  void append_key(std::string& out) const;
  // The stored form: sign and exponent, then the digits, two in a byte.
  void append_stored(std::string& out) const;
  static std::expected<Number, std::string> take_stored(std::string_view& in);

  std::strong_ordering operator<=>(const Number& other) const;
  bool operator==(const Number& other) const = default;

 private:
  static std::expected<Number, std::string> make(bool negative, int exponent, std::string digits);
  static std::strong_ordering compare_magnitude(const Number& a, const Number& b);

  bool negative_ = false;
  int exponent_ = 0;    // of the first digit: d.ddd × 10^exponent
  std::string digits_;  // '0' to '9'; empty: zero
};

}  // namespace parvis::dynamodb
