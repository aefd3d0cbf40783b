#include "targets.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <stdexcept>

#include <boost/json/serialize.hpp>

#include "aws/json_codec.h"
#include "aws/sigv4.h"
#include "aws/xml.h"
#include "functions/frame_decoder.h"
#include "functions/response_stream.h"
#include "http/message.h"
#include "http/request_parser.h"
#include "services/dynamodb/attribute_value.h"
#include "services/dynamodb/compression.h"
#include "services/dynamodb/evaluate.h"
#include "services/dynamodb/expression.h"
#include "services/dynamodb/import_reader.h"
#include "services/dynamodb/keyspace.h"
#include "services/dynamodb/number.h"
#include "services/dynamodb/partiql.h"
#include "storage/tuple.h"
#include "templates/document.h"
#include "templates/intrinsics.h"

namespace parvis::fuzz {
namespace {

void require(bool holds, std::string_view input) {
  if (holds) return;
  std::fprintf(stderr, "broken by %s\n", boost::json::serialize(boost::json::string(input)).c_str());
  std::abort();
}

// The head is scanned first, as the server does, and then parsed; the body follows in the same bytes.
void http_request(std::string_view input) {
  http::HeadScanner scanner;
  if (scanner.scan(input) != http::HeadScanner::State::kDone) return;
  require(scanner.head_size() <= input.size(), input);
  http::RequestParser parser(64u << 10);
  for (std::size_t at = 0; at < input.size() && parser.status == 0;) {
    const std::size_t used = parser.feed(input.substr(at));
    require(used <= input.size() - at, input);
    if (used == 0) break;
    at += used;
    if (parser.is_header_done()) parser.check_head();
    if (parser.is_done()) break;
  }
}

void json_text(std::string_view input) {
  try {
    (void)boost::json::serialize(aws::parse_json(input));
  } catch (const aws::DecodeError&) {
  }
}

void xml_text(std::string_view input) { (void)aws::parse_xml(input); }

void signature_scope(std::string_view input) {
  http::Request request;
  request.method = "GET";
  request.target = "/";
  request.headers.add("Authorization", std::string(input));
  (void)aws::parse_scope(request);
  request.headers = {};
  request.target = "/?" + std::string(input);
  (void)aws::parse_scope(request);
}

std::string decoded_frames(std::string_view input, std::size_t piece) {
  functions::FrameDecoder decoder("OFPC", 4096);
  functions::FrameView frame;
  std::string out;
  while (!input.empty()) {
    const auto room = decoder.room();
    const std::size_t take = std::min({piece, room.size(), input.size()});
    std::copy_n(input.data(), take, room.data());
    decoder.commit(take);
    input.remove_prefix(take);
    functions::FrameDecoder::State state;
    while ((state = decoder.next(frame)) == functions::FrameDecoder::State::kFrame) out += std::string(1, frame.type) + std::string(frame.body);
    if (state == functions::FrameDecoder::State::kBroken) return out + "!";
  }
  return out;
}

// What a worker says: the same messages, however the bytes are cut.
void worker_frames(std::string_view input) { require(decoded_frames(input, 1) == decoded_frames(input, 1u << 20), input); }

// A streamed answer's prelude and body are all of its bytes but the delimiter.
void stream_prelude(std::string_view input) {
  functions::PreludeSplitter splitter{std::string(functions::kPreludeContentType)};
  std::string body;
  const std::size_t half = input.size() / 2;
  auto head = splitter.feed(std::string(input.substr(0, half)), body);
  if (head) {
    body += input.substr(half);
  } else {
    head = splitter.feed(std::string(input.substr(half)), body);
    if (!head) head = splitter.finish(body);
  }
  require(head->has_prelude ? head->prelude + std::string(8, '\0') + body == input : body == input, input);
}

// Elements that were read are written back as the bytes they came from: one value has one encoding.
void key_tuple(std::string_view input) {
  storage::TupleReader reader(input);
  storage::TupleWriter writer;
  while (!reader.at_end()) {
    if (auto text = reader.string()) writer.string(*text);
    else if (auto bytes = reader.bytes()) writer.bytes(*bytes);
    else if (auto number = reader.u64()) writer.u64(*number);
    else if (auto signed_number = reader.i64()) writer.i64(*signed_number);
    else break;
    require(input.starts_with(writer.view()), input);
  }
}

// All three grammars take each input; placeholders are there, so that operands resolve.
void expression(std::string_view input) {
  dynamodb::AttributeMap values;
  values[":v"] = dynamodb::AttributeValue::string("x");
  const dynamodb::Placeholders::Names names{{"#n", "name"}};
  const auto attempt = [&](auto parse) {
    dynamodb::Placeholders placeholders(names, values);
    try {
      parse(placeholders);
    } catch (const aws::ApiError&) {
    }
  };
  attempt([&](auto& p) { (void)dynamodb::parse_condition(input, "ConditionExpression", p); });
  attempt([&](auto& p) { (void)dynamodb::parse_update(input, p); });
  attempt([&](auto& p) { (void)dynamodb::parse_projection(input, p); });
}

// Parameters are there for up to two question marks; what was parsed is taken apart as a key condition, too.
void partiql(std::string_view input) {
  const std::vector<dynamodb::AttributeValue> two(2, dynamodb::AttributeValue::string("x"));
  const dynamodb::KeySchema keys{{"p", dynamodb::Type::kS}, dynamodb::KeyAttribute{"s", dynamodb::Type::kN}};
  for (std::size_t count : {0, 1, 2}) {
    try {
      const auto statement = dynamodb::parse_partiql(input, {two.begin(), two.begin() + static_cast<std::ptrdiff_t>(count)});
      const auto parts = dynamodb::key_parts(keys, statement.where);
      if (const auto key = dynamodb::exact_key(keys, parts)) require(key->size() == 2, input);
      const dynamodb::Item item{{"p", two[0]}};
      if (statement.where) (void)dynamodb::evaluate(*statement.where, item);
      (void)dynamodb::apply_update(statement.update, item);
    } catch (const aws::ApiError&) {
    }
  }
}

// The text of a number reads as the same number.
void number(std::string_view input) {
  if (const auto read = dynamodb::Number::parse(input)) require(dynamodb::Number::parse(read->text()) == *read, input);
}

// Key values order as their encodings do, and none is the beginning of another's.
void key_value(std::string_view input) {
  const std::string_view first = input.substr(0, input.size() / 2), second = input.substr(input.size() / 2);
  const auto check = [&](const auto& a, const auto& b, const dynamodb::AttributeValue& x, const dynamodb::AttributeValue& y) {
    std::string left, right;
    dynamodb::append_key_value(x, left);
    dynamodb::append_key_value(y, right);
    require((a < b) == (left < right) && (a == b) == (left == right), input);
    require(a == b || (!left.starts_with(right) && !right.starts_with(left)), input);
  };
  const std::string a(first), b(second);
  check(a, b, dynamodb::AttributeValue::string(a), dynamodb::AttributeValue::string(b));
  const dynamodb::Binary c{a}, d{b};
  check(c, d, dynamodb::AttributeValue{c}, dynamodb::AttributeValue{d});
  std::string whole, prefix;
  dynamodb::append_key_value(dynamodb::AttributeValue::string(std::string(input)), whole);
  dynamodb::append_key_value_prefix(dynamodb::AttributeValue::string(a), prefix);
  require(whole.starts_with(prefix), input);
  const auto m = dynamodb::Number::parse(first), n = dynamodb::Number::parse(second);
  if (m && n) check(*m, *n, dynamodb::AttributeValue::number(*m), dynamodb::AttributeValue::number(*n));
}

// Files of an import, of every format and compression.
void import_file(std::string_view input) {
  for (const auto kind : {dynamodb::Compression::kNone, dynamodb::Compression::kGzip, dynamodb::Compression::kZstd}) {
    dynamodb::Decompressor decompressor(kind);
    dynamodb::LineReader lines;
    dynamodb::CsvReader records(',');
    std::size_t pieces = 0;
    (void)decompressor.feed(input, [&](std::string_view piece) {
      if (++pieces > 64) return;  // a small input may hold very much
      lines.feed(piece, [](std::string_view line, bool) { (void)dynamodb::item_of_line(line); });
      records.feed(piece, [](std::vector<std::string> fields, bool) { (void)fields; });
    });
  }
}

void attribute(std::string_view input) {
  try {
    (void)dynamodb::attribute_from_json(aws::parse_json(input));
  } catch (const aws::DecodeError&) {
  } catch (const aws::ApiError&) {
  }
}

// Bytes from the disk: damaged ones are an error, good ones are written as an item that reads the same.
void stored_item(std::string_view input) {
  if (const auto item = dynamodb::decode_item(input)) {
    const auto again = dynamodb::decode_item(dynamodb::encode_item(*item));
    require(again && *again == *item, input);
  }
}

void template_text(std::string_view input) {
  const auto document = templates::parse_document(input, "template.yaml");
  if (!document) return;
  const auto evaluator = templates::Evaluator::make(*document, {}, {});
  if (!evaluator) return;
  (void)evaluator->graph();
  (void)evaluator->resolve(document->root, "", {.ref = [](const auto&) { return std::nullopt; },
                                               .get_att = [](const auto&, const auto&) { return std::nullopt; },
                                               .import = [](const auto&) { return std::nullopt; }});
}

std::string item_seed() {
  dynamodb::AttributeMap item;
  item["p"] = dynamodb::AttributeValue::string("x");
  item["n"] = dynamodb::AttributeValue::number(*dynamodb::Number::parse("-1.5e3"));
  item["m"] = dynamodb::AttributeValue::map(item);
  return dynamodb::encode_item(item);
}

std::string gzip_seed() {
  dynamodb::GzipWriter writer;
  writer.add("{\"Item\":{\"p\":{\"S\":\"a\"}}}\n");
  return writer.finish();
}

std::string tuple_seed() {
  return storage::TupleWriter().string("000000000000").string(std::string("a\0b", 3)).bytes("\xff").u64(7).i64(-7).take();
}

}  // namespace

std::span<const Target> targets() {
  static const std::vector<Target> kTargets{
      {"http_request", http_request,
       {"GET /a?b=c HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\nabcd",
        "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n4;e=1\r\nabcd\r\n0\r\nT: v\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "GET http://a/b HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n"}},
      {"json_text", json_text,
       {R"({"TableName":"t","Item":{"p":{"S":"\u00e9\ud83d\ude00"},"n":{"N":"-1.5e3"},"l":{"L":[{"BOOL":true},{"NULL":true}]}}})",
        "[[[[[[1e308,-0.0,18446744073709551615]]]]]]", std::string(300, '[')}},
      {"xml_text", xml_text,
       {"<a xmlns=\"urn:x\" b='c'><d>&lt;&#x41;</d><![CDATA[x]]><e/></a>",
        "<!DOCTYPE a [<!ENTITY x \"xx\"><!ENTITY y \"&x;&x;\">]><a>&y;</a>"}},
      {"signature_scope", signature_scope,
       {"AWS4-HMAC-SHA256 Credential=AKID/20260101/us-east-1/dynamodb/aws4_request, SignedHeaders=host;x-amz-date, Signature=00ff",
        "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKID%2F20260101%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Date=20260101T000000Z"
        "&X-Amz-Expires=60&X-Amz-SignedHeaders=host&X-Amz-Signature=00"}},
      {"expression", expression,
       {"#n = :v AND (attribute_exists(a.b[2]) OR NOT size(c) BETWEEN :v AND :v) AND d IN (:v, :v)",
        "SET a = if_not_exists(b, :v) + :v, c[0] = list_append(c, :v) REMOVE d ADD e :v DELETE f :v", "a, #n.b[1].c",
        std::string(3000, '('), "NOT NOT NOT NOT a = :v"}},
      {"partiql", partiql,
       {"SELECT a.b[0], \"c\" FROM \"t\".\"i\" WHERE p IN ['x', ?] AND s BETWEEN -1.5e3 AND 2 OR NOT contains(a, 'it''s') ORDER BY s DESC;",
        "INSERT INTO t VALUE {'p': 'x', 's': ?, 'l': [1, {'m': <<1, 2>>}], 'n': null, 'b': true} -- note",
        "UPDATE t SET a = a + ?, b = list_append(b, [1]) SET c = set_add(c, <<'x'>>) REMOVE d WHERE p = 'x' AND s = 1 RETURNING MODIFIED NEW *",
        "FROM t WHERE p = 'x' AND s = 1 SET a = 1", "DELETE FROM t /* x */ WHERE size(a) > 1 AND b IS NOT MISSING RETURNING ALL OLD *",
        "EXISTS(SELECT * FROM t WHERE p = 'x' AND s = 1 AND a IS NULL)", "SELECT * FROM t WHERE " + std::string(300, '(')}},
      {"number", number, {"-1.5e3", "0.00", "9.9999999999999999999999999999999999999E+125", "1e-130", "+.5"}},
      {"attribute", attribute, {R"({"M":{"a":{"SS":["x","y"]},"b":{"B":"AAE="},"c":{"L":[{"N":"1"},{"NULL":true}]}}})"}},
      {"key_value", key_value, {"abab", std::string("a\0a\0\0b", 6), "1210", "-1.5-1.6", "1e1251e-130", std::string("\xff\x00\xff\xff", 4)}},
      {"import_file", import_file,
       {"{\"Item\":{\"p\":{\"S\":\"a\"}}}\n\n{\"Item\":1}\r\n{", "a,\"b \"\"c\nd\",e\r\n,,\n\"", gzip_seed()}},
      {"stored_item", stored_item, {item_seed()}},
      {"template_text", template_text,
       {"Parameters: {P: {Type: String, Default: x}}\nConditions: {C: !Equals [!Ref P, y]}\nResources:\n  A:\n    Type: AWS::IAM::Role\n"
        "    Condition: C\n    Properties: {D: !Sub ['${P}${v}', {v: !Join ['-', [a, !Ref P]]}], E: !GetAtt A.Arn}\n",
        "a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n", "{\"Resources\": {\"A\": {\"Type\": \"T\", \"DependsOn\": [\"A\"]}}}"}},
      {"key_tuple", key_tuple, {tuple_seed()}},
      {"worker_frames", worker_frames,
       {std::string("\x02\0\0\0O\1{}\0\0\0\0P\0\x03\0\0\0C\0abc", 23), std::string("\xff\xff\0\0O\0x", 7), std::string("\0\0\0\0Z\0", 6)}},
      {"stream_prelude", stream_prelude, {"{\"statusCode\":200}" + std::string(8, '\0') + "body", std::string(9, '\0'), "{}" + std::string(7, '\0')}},
  };
  return kTargets;
}

const Target& target(std::string_view name) {
  for (const Target& known : targets()) {
    if (known.name == name) return known;
  }
  throw std::out_of_range("no fuzz target " + std::string(name));
}

}  // namespace parvis::fuzz
