// dynamodb/export_filter.h: FilterSpecification of an export: which items it holds, and what of them.
// Source: API Reference, FilterSpecification.
#pragma once

#include <optional>
#include <string>

#include "models/dynamodb.h"
#include "services/dynamodb/evaluate.h"
#include "services/dynamodb/export_lines.h"
#include "services/dynamodb/table.h"

namespace parvis::dynamodb {

class ExportFilter {
 public:
  // Takes everything.
  ExportFilter() = default;
  // Throws ValidationException for expressions that are none, or no key condition of `keys`.
  ExportFilter(const aws::model::dynamodb::FilterSpecification& in, const KeySchema& keys);
  // Of what encode_filter() made of a specification that was good; "" takes everything.
  static ExportFilter decode(std::string_view text, const KeySchema& keys);

  // What the export holds of the item; nullopt for nothing.
  std::optional<Item> take(Item item) const;
  // False: the export has nothing of the change.
  // Differs from AWS: which image its expressions are held against is not documented; here one that matches is enough, so that
  // whoever follows a filtered export hears also of an item that matches no more.
  bool take(ExportedChange& change) const;

 private:
  bool matches(const Item& item) const;
  std::optional<Condition> key_condition_, filter_;
  std::optional<Projection> projection_;
};

std::string encode_filter(const std::optional<aws::model::dynamodb::FilterSpecification>& in);
// Throws InternalServerError for damaged bytes.
std::optional<aws::model::dynamodb::FilterSpecification> decode_filter(std::string_view text);

}  // namespace parvis::dynamodb
