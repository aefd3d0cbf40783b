#include "aws/model.h"

#include <re2/re2.h>

namespace parvis::aws {

struct Pattern::Compiled {
  re2::RE2 match;
  std::unique_ptr<re2::RE2> unless;
  static re2::RE2::Options options() {
    re2::RE2::Options options;
    options.set_log_errors(false);
    return options;
  }
  Compiled(std::string_view m, std::string_view u)
      : match(re2::StringPiece(m.data(), m.size()), options()),
        unless(u.empty() ? nullptr : std::make_unique<re2::RE2>(re2::StringPiece(u.data(), u.size()), options())) {}
};

const Pattern::Compiled& Pattern::compiled() const {
  if (const Compiled* known = compiled_.load(std::memory_order_acquire)) return *known;
  const Compiled* mine = new Compiled(match, unless);
  const Compiled* other = nullptr;
  if (compiled_.compare_exchange_strong(other, mine, std::memory_order_acq_rel)) return *mine;
  delete mine;
  return *other;
}

bool Pattern::accepts(std::string_view value) const {
  const Compiled& c = compiled();
  const re2::StringPiece text(value.data(), value.size());
  return re2::RE2::FullMatch(text, c.match) && !(c.unless && re2::RE2::FullMatch(text, *c.unless));
}

bool Pattern::compiles() const {
  const Compiled& c = compiled();
  return c.match.ok() && (!c.unless || c.unless->ok());
}

}  // namespace parvis::aws
