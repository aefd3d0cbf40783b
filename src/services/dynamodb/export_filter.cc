#include "services/dynamodb/export_filter.h"

#include <boost/json.hpp>
#include <spdlog/spdlog.h>

#include "aws/json_codec.h"
#include "services/dynamodb/errors.h"
#include "services/dynamodb/query.h"

namespace parvis::dynamodb {
namespace {

using Specification = aws::model::dynamodb::FilterSpecification;
// The specification stands in this operation's input.
const aws::OperationModel& operation() { return aws::model::dynamodb::ExportTableToPointInTime::model(); }

}  // namespace

ExportFilter::ExportFilter(const Specification& in, const KeySchema& keys) {
  Placeholders placeholders(in.expression_attribute_names, in.expression_attribute_values);
  if (in.key_condition_expression) {
    key_condition_ = parse_condition(*in.key_condition_expression, "KeyConditionExpression", placeholders);
    (void)key_range(keys, *key_condition_, {});  // throws for other conditions
  }
  if (in.filter_expression) filter_ = parse_condition(*in.filter_expression, "FilterExpression", placeholders);
  if (in.projection_expression) projection_ = parse_projection(*in.projection_expression, placeholders);
  placeholders.check_used(key_condition_ || filter_ || projection_, "FilterExpression and KeyConditionExpression");
  if (!filter_ || !key_condition_) return;
  each_path(*filter_, [&](const Path& path) {
    for (const KeyAttribute& key : keys.attributes()) {
      if (path.root() != key.name) continue;
      throw_validation("Filter Expression can only contain non-primary key attributes: Primary key attribute: " + key.name);
    }
  });
}

ExportFilter ExportFilter::decode(std::string_view text, const KeySchema& keys) {
  const std::optional<Specification> in = decode_filter(text);
  return in ? ExportFilter(*in, keys) : ExportFilter();
}

bool ExportFilter::matches(const Item& item) const {
  return (!key_condition_ || evaluate(*key_condition_, item)) && (!filter_ || evaluate(*filter_, item));
}

bool ExportFilter::take(ExportedChange& change) const {
  const bool is_in = (change.old_image && matches(*change.old_image)) || (change.new_image && matches(*change.new_image));
  for (std::optional<Item>* image : {&change.old_image, &change.new_image}) {
    if (is_in && projection_ && *image) *image = project(**image, *projection_);
  }
  return is_in;
}

std::optional<Item> ExportFilter::take(Item item) const {
  if (!matches(item)) return std::nullopt;
  return projection_ ? project(item, *projection_) : std::move(item);
}

std::string encode_filter(const std::optional<Specification>& in) {
  if (!in) return {};
  aws::model::dynamodb::ExportTableToPointInTimeInput whole;
  whole.filter_specification = in;
  std::string out;
  aws::encode_json(*operation().input, &whole, out);
  return out;
}

std::optional<Specification> decode_filter(std::string_view text) {
  if (text.empty()) return std::nullopt;
  try {
    aws::model::dynamodb::ExportTableToPointInTimeInput whole;
    std::vector<std::string> ignored;
    aws::decode_json(*operation().input, aws::parse_json(text), &whole, ignored);
    return std::move(whole.filter_specification);
  } catch (const aws::DecodeError& error) {
    spdlog::error("dynamodb: a damaged filter of an export: {}", error.what());
    throw aws::ApiError(kInternal, "Internal server error");
  }
}

}  // namespace parvis::dynamodb
