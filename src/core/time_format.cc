#include "core/time_format.h"

#include <array>
#include <cmath>

#include <fmt/format.h>

namespace parvis {
namespace {

namespace chr = std::chrono;

constexpr std::array<std::string_view, 12> kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                      "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
constexpr std::array<std::string_view, 7> kDays = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
constexpr Millis kFirst = chr::sys_days{chr::year{1} / 1 / 1};
constexpr Millis kLast = chr::sys_days{chr::year{10000} / 1 / 1} - chr::milliseconds(1);

struct Parts {
  int year = 0;
  unsigned month = 0, day = 0, weekday = 0;
  int hour = 0, minute = 0, second = 0, milli = 0;
};

Parts split(Millis time) {
  time = std::clamp(time, kFirst, kLast);
  const auto days = chr::floor<chr::days>(time);
  const chr::year_month_day date(days);
  const chr::hh_mm_ss<chr::milliseconds> clock(time - days);
  return {.year = static_cast<int>(date.year()),
          .month = static_cast<unsigned>(date.month()),
          .day = static_cast<unsigned>(date.day()),
          .weekday = chr::weekday(days).c_encoding(),
          .hour = static_cast<int>(clock.hours().count()),
          .minute = static_cast<int>(clock.minutes().count()),
          .second = static_cast<int>(clock.seconds().count()),
          .milli = static_cast<int>(clock.subseconds().count())};
}

std::optional<Millis> join(const Parts& p) {
  const chr::year_month_day date{chr::year(p.year), chr::month(p.month), chr::day(p.day)};
  if (p.year < 1 || p.year > 9999 || !date.ok() || p.hour > 23 || p.minute > 59 || p.second > 59) return std::nullopt;
  return chr::sys_days(date) + chr::hours(p.hour) + chr::minutes(p.minute) + chr::seconds(p.second) + chr::milliseconds(p.milli);
}

// Reads a text from the left; the first mismatch makes `ok` false for good.
struct Reader {
  std::string_view rest;
  bool ok = true;

  int digits(std::size_t count) {
    int value = 0;
    if (rest.size() < count) return ok = false;
    for (char c : rest.substr(0, count)) {
      if (c < '0' || c > '9') return ok = false;
      value = value * 10 + (c - '0');
    }
    rest.remove_prefix(count);
    return value;
  }
  bool next_is(char c) const { return !rest.empty() && rest.front() == c; }
  void literal(std::string_view text) {
    if (rest.starts_with(text)) rest.remove_prefix(text.size());
    else ok = false;
  }
  template <std::size_t N>
  unsigned name(const std::array<std::string_view, N>& names) {
    for (unsigned i = 0; i < N; ++i)
      if (rest.starts_with(names[i])) {
        rest.remove_prefix(names[i].size());
        return i;
      }
    ok = false;
    return 0;
  }
};

// ".123456" → 123; at least one digit, at most 18.
int fraction(Reader& in) {
  in.literal(".");
  int milli = 0, count = 0;
  while (!in.rest.empty() && in.rest.front() >= '0' && in.rest.front() <= '9' && count < 18) {
    if (count < 3) milli = milli * 10 + (in.rest.front() - '0');
    in.rest.remove_prefix(1);
    ++count;
  }
  if (count == 0) in.ok = false;
  for (; count < 3; ++count) milli *= 10;
  return milli;
}

}  // namespace

std::string format_iso8601(Millis time) {
  const Parts p = split(time);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", p.year, p.month, p.day, p.hour, p.minute, p.second, p.milli);
}
std::string format_iso8601_seconds(Millis time) {
  const Parts p = split(time);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", p.year, p.month, p.day, p.hour, p.minute, p.second);
}
std::string format_basic(Millis time) {
  const Parts p = split(time);
  return fmt::format("{:04}{:02}{:02}T{:02}{:02}{:02}Z", p.year, p.month, p.day, p.hour, p.minute, p.second);
}
std::string format_rfc1123(Millis time) {
  const Parts p = split(time);
  return fmt::format("{}, {:02} {} {:04} {:02}:{:02}:{:02} GMT", kDays[p.weekday], p.day, kMonths[p.month - 1], p.year, p.hour,
                     p.minute, p.second);
}

double to_epoch_seconds(Millis time) { return static_cast<double>(time.time_since_epoch().count()) / 1000.0; }
Millis from_epoch_seconds(double seconds) {
  const double low = to_epoch_seconds(kFirst), high = to_epoch_seconds(kLast);
  if (!(seconds > low)) return kFirst;  // and NaN
  if (seconds >= high) return kLast;
  return Millis(chr::milliseconds(std::llround(seconds * 1000.0)));
}

std::optional<Millis> parse_iso8601(std::string_view text) {
  Reader in{text};
  Parts p;
  p.year = in.digits(4);
  in.literal("-");
  p.month = static_cast<unsigned>(in.digits(2));
  in.literal("-");
  p.day = static_cast<unsigned>(in.digits(2));
  if (!in.ok) return std::nullopt;
  if (in.rest.empty()) return join(p);
  if (!in.next_is('T') && !in.next_is('t') && !in.next_is(' ')) return std::nullopt;
  in.rest.remove_prefix(1);
  p.hour = in.digits(2);
  in.literal(":");
  p.minute = in.digits(2);
  in.literal(":");
  p.second = in.digits(2);
  if (in.ok && in.next_is('.')) p.milli = fraction(in);
  chr::minutes offset{0};
  if (in.ok && (in.next_is('+') || in.next_is('-'))) {
    const int sign = in.rest.front() == '-' ? -1 : 1;
    in.rest.remove_prefix(1);
    const int hours = in.digits(2);
    in.literal(":");
    const int minutes = in.digits(2);
    if (hours > 23 || minutes > 59) return std::nullopt;
    offset = chr::minutes(sign * (hours * 60 + minutes));
  } else if (in.next_is('z')) {
    in.literal("z");
  } else {
    in.literal("Z");
  }
  if (!in.ok || !in.rest.empty()) return std::nullopt;
  auto local = join(p);
  if (!local) return std::nullopt;
  return *local - offset;
}

std::optional<Millis> parse_basic(std::string_view text) {
  Reader in{text};
  Parts p;
  p.year = in.digits(4);
  p.month = static_cast<unsigned>(in.digits(2));
  p.day = static_cast<unsigned>(in.digits(2));
  in.literal("T");
  p.hour = in.digits(2);
  p.minute = in.digits(2);
  p.second = in.digits(2);
  in.literal("Z");
  if (!in.ok || !in.rest.empty()) return std::nullopt;
  return join(p);
}

std::optional<Millis> parse_rfc1123(std::string_view text) {
  Reader in{text};
  Parts p;
  in.name(kDays);
  in.literal(", ");
  p.day = static_cast<unsigned>(in.digits(2));
  in.literal(" ");
  p.month = in.name(kMonths) + 1;
  in.literal(" ");
  p.year = in.digits(4);
  in.literal(" ");
  p.hour = in.digits(2);
  in.literal(":");
  p.minute = in.digits(2);
  in.literal(":");
  p.second = in.digits(2);
  in.literal(" GMT");
  if (!in.ok || !in.rest.empty()) return std::nullopt;
  return join(p);
}

}  // namespace parvis
