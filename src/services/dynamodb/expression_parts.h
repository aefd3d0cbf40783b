// dynamodb/expression_parts.h: what the condition, update and projection parsers share. Internal to them.
#pragma once

#include "services/dynamodb/expression.h"
#include "services/dynamodb/expression_lexer.h"

namespace parvis::dynamodb {

Path parse_path(TokenStream& tokens, Placeholders& placeholders);
AttributeValue parse_value_placeholder(TokenStream& tokens, Placeholders& placeholders);
bool at_function_call(const TokenStream& tokens);  // a word followed by "("
void throw_operand_count(std::string_view kind, std::string_view function, std::size_t count);
void throw_operand_type(std::string_view kind, std::string_view function, std::string_view type);

}  // namespace parvis::dynamodb
