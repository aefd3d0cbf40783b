#include "targets.h"

#include <stdlib.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <stdexcept>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/write.hpp>
#include <boost/json/serialize.hpp>

#include "aws/aws_chunked.h"
#include "aws/json_codec.h"
#include "aws/sigv4.h"
#include "aws/validate.h"
#include "aws/xml.h"
#include "core/clock.h"
#include "core/entropy.h"
#include "core/fd.h"
#include "functions/frame_decoder.h"
#include "functions/messages.h"
#include "functions/network/dns.h"
#include "functions/network/names.h"
#include "functions/response_stream.h"
#include "functions/runtime_api.h"
#include "http/message.h"
#include "http/request_parser.h"
#include "models/dynamodb.h"
#include "services/dynamodb/attribute_value.h"
#include "services/dynamodb/compression.h"
#include "services/dynamodb/evaluate.h"
#include "services/dynamodb/expression.h"
#include "services/dynamodb/import_reader.h"
#include "services/dynamodb/ion_text.h"
#include "services/dynamodb/keyspace.h"
#include "services/dynamodb/number.h"
#include "services/dynamodb/partiql.h"
#include "services/lambda/archive.h"
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

// As the input of an operation: what was read is written as text that reads as the same.
void check_input(const aws::OperationModel& op, const boost::json::value& value, std::string_view input) {
  const std::shared_ptr<void> read = op.make_input(), again = op.make_input();
  std::vector<std::string> ignored;
  try {
    aws::decode_json(*op.input, value, read.get(), ignored);
    (void)aws::validate(*op.input, read.get());
  } catch (const aws::DecodeError&) {
    return;
  } catch (const aws::ApiError&) {  // an attribute value that is none
    return;
  }
  std::string text, second;
  aws::encode_json(*op.input, read.get(), text);
  aws::decode_json(*op.input, aws::parse_json(text), again.get(), ignored);
  aws::encode_json(*op.input, again.get(), second);
  require(text == second, input);
}

void json_text(std::string_view input) {
  namespace model = aws::model::dynamodb;
  boost::json::value value;
  try {
    value = aws::parse_json(input);
  } catch (const aws::DecodeError&) {
    return;
  }
  (void)boost::json::serialize(value);
  for (const aws::OperationModel* op : {&model::PutItem::model(), &model::UpdateItem::model(), &model::Query::model(), &model::CreateTable::model(),
                                        &model::TransactWriteItems::model(), &model::ExportTableToPointInTime::model()}) {
    check_input(*op, value, input);
  }
}

void xml_text(std::string_view input) { (void)aws::parse_xml(input); }

// Four lines: the Authorization header, X-Amz-Date, X-Amz-Content-Sha256 (or a query string, when the header is empty), and the
// body. Nothing that is not signed with the key may pass.
void signature(std::string_view input) {
  std::array<std::string_view, 4> parts;
  for (std::size_t i = 0; i < 3; ++i) {
    const std::size_t end = std::min(input.find('\n'), input.size());
    parts[i] = input.substr(0, end);
    input.remove_prefix(std::min(end + 1, input.size()));
  }
  parts[3] = input;
  http::Request request;
  request.method = "POST";
  request.target = "/";
  request.headers.add("Host", "localhost");
  if (parts[0].empty()) {
    (request.target += '?') += parts[2];
  } else {
    request.headers.add("Authorization", parts[0]);
    request.headers.add("X-Amz-Date", parts[1]);
    if (!parts[2].empty()) request.headers.add("X-Amz-Content-Sha256", parts[2]);
  }
  request.body = parts[3];
  (void)aws::parse_scope(request);
  static const ManualClock clock(Millis(std::chrono::seconds(1767225600)));  // 2026-01-01
  for (const auto family : {aws::ErrorFamily::kJson, aws::ErrorFamily::kS3}) {
    http::Request copy = request;
    aws::VerifyOptions options;
    options.clock = &clock;
    options.family = family;
    options.find_credential = [](std::string_view) { return aws::SigningCredential{"a secret that no input knows", {}}; };
    require(!aws::verify_signature(copy, options), parts[0]);
    try {
      aws::decode_unverified_payload(request, family);
    } catch (const aws::ApiError&) {
    }
  }
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

// A worker's resolver: what is a question gets an answer of bounded size to it, and an answer is never taken for a question.
void dns_question(std::string_view input) {
  const auto question = network::read_question(input);
  if (!question && !question.error()) return;
  if (question) require(question->name.size() < 255 && question->end <= input.size(), input);
  const network::Rcode code = question ? network::Rcode::kNone : *question.error();
  const std::string reply = network::answer(input, question ? &*question : nullptr, code, std::array<std::uint8_t, 4>{127, 0, 0, 1});
  require(reply.size() <= 12 + 255 + 4 + 16 && reply.substr(0, 2) == input.substr(0, 2), input);
  const auto again = network::read_question(reply);
  require(!again && !again.error(), input);
  network::is_platform_name(question ? question->name : input);
}

// What the worker's side of a channel said to the engine, with one call open: the frames are whole, the first one greets, and
// the call is answered at most once.
void check_answers(int channel, std::string_view input) {
  functions::FrameDecoder decoder("HREPCOFDN", functions::kFrameBytesMax);
  functions::FrameView frame;
  int frames = 0, answers = 0;
  for (;;) {
    const auto room = decoder.room();
    const ssize_t bytes = ::recv(channel, room.data(), room.size(), MSG_DONTWAIT);
    if (bytes <= 0) break;
    decoder.commit(static_cast<std::size_t>(bytes));
    functions::FrameDecoder::State state;
    while ((state = decoder.next(frame)) == functions::FrameDecoder::State::kFrame) {
      require((frames++ == 0) == (frame.type == 'H'), input);
      answers += frame.type == 'O' || frame.type == 'F';
      require(frame.type != 'D' || answers > 0, input);
    }
    require(state == functions::FrameDecoder::State::kMore, input);
  }
  require(answers <= 1, input);
}

// The bytes of one connection to a worker's Runtime API while a call with the id "call" is there.
void runtime_api(std::string_view input) {
  static const Clock clock;
  static Entropy entropy;
  namespace asio = boost::asio;
  asio::io_context context;
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) std::abort();
  const Fd engine(ends[0]);
  const std::string meta = R"({"id":"call","arn":"arn:aws:lambda:eu-west-1:111122223333:function:f","timeoutMs":1000})";
  const std::string call = functions::frame('I', std::string{static_cast<char>(meta.size()), 0, 0, 0} + meta + "{}");
  if (::write(engine.get(), call.data(), call.size()) != static_cast<ssize_t>(call.size())) std::abort();
  const auto api = functions::RuntimeApi::open(context, Fd(ends[1]), clock, entropy);
  asio::ip::tcp::socket client(context);
  client.connect({asio::ip::make_address("127.0.0.1"), api->port()});
  boost::system::error_code error;
  asio::write(client, asio::buffer(input), error);
  client.shutdown(asio::socket_base::shutdown_send, error);
  client.non_blocking(true, error);
  std::array<char, 4096> answer;
  for (int idle = 0; idle < 3;) {
    const std::size_t ran = context.poll();
    context.restart();
    error.clear();
    const std::size_t bytes = client.read_some(asio::buffer(answer), error);
    if (error && error != asio::error::would_block) break;
    idle = ran == 0 && bytes == 0 ? idle + 1 : 0;
  }
  check_answers(engine.get(), input);
  api->close();
  client.close(error);
  context.poll();
}

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

// The text and the stored form of a number read as the same number; what is added can be taken away again.
void number(std::string_view input) {
  const auto read = dynamodb::Number::parse(input);
  if (!read) return;
  require(dynamodb::Number::parse(read->text()) == *read, input);
  std::string stored;
  read->append_stored(stored);
  std::string_view rest = stored;
  require(dynamodb::Number::take_stored(rest) == *read && rest.empty(), input);
  require(dynamodb::Number::sub(*read, *read) == dynamodb::Number(), input);
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
      lines.feed(piece, [](std::string_view line, bool) { dynamodb::items_of_line(line, [](std::expected<dynamodb::Item, std::string>) {}); });
      records.feed(piece, [](std::vector<std::string> fields, bool) { (void)fields; });
    });
  }
}

// A line of an Ion file; what was read is written as text that reads as the same.
void ion_text(std::string_view input) {
  const auto item = dynamodb::item_of_ion(input);
  if (!item) return;
  std::string text = "$ion_1_0 {Item:";
  dynamodb::append_ion(*item, text);
  const auto again = dynamodb::item_of_ion(text + "}");
  require(again && *again == *item, input);
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

// A chunked body, unsigned and signed, whole and byte by byte: the pieces that it comes in make no difference.
void aws_chunked(std::string_view input) {
  for (const bool is_signed : {false, true}) {
    const auto decode = [&](std::size_t piece, std::string& out) {
      aws::AwsChunkedDecoder::Options options;
      options.has_trailer = true;
      options.trailer_names = {"x-amz-checksum-crc32"};
      if (is_signed) options.signing = aws::ChunkSigning{"key", "20260101T000000Z", "scope", "seed"};
      aws::AwsChunkedDecoder decoder(std::move(options));
      auto error = aws::AwsChunkedDecoder::Error::kNone;
      for (std::size_t at = 0; at < input.size() && error == aws::AwsChunkedDecoder::Error::kNone; at += piece) error = decoder.push(input.substr(at, piece), out);
      return error == aws::AwsChunkedDecoder::Error::kNone ? decoder.finish() : error;
    };
    std::string whole, pieces;
    const auto error = decode(std::max<std::size_t>(input.size(), 1), whole);
    require(decode(1, pieces) == error, input);
    require(error != aws::AwsChunkedDecoder::Error::kNone || whole == pieces, input);
  }
}

// Entries land below the folder, whatever they are called.
void zip_package(std::string_view input) {
  namespace fs = std::filesystem;
  std::string place = (fs::temp_directory_path() / "parvis-fuzz-XXXXXX").string();
  if (!mkdtemp(place.data())) std::abort();
  const fs::path inside = fs::path(place) / "inside";
  fs::create_directory(inside);
  (void)lambda::unpack_zip(input, inside.string(), {.bytes_max = 1u << 20, .entries_max = 100});
  const bool alone = std::distance(fs::directory_iterator(place), fs::directory_iterator()) == 1;
  for (const auto& entry : fs::recursive_directory_iterator(inside)) require(entry.is_regular_file() || (entry.is_directory() && !entry.is_symlink()), input);
  fs::remove_all(place);
  require(alone, input);
}

}  // namespace

std::span<const Target> targets() {
  static constexpr Target kTargets[] = {
      {"http_request", http_request}, {"json_text", json_text}, {"xml_text", xml_text}, {"signature", signature}, {"aws_chunked", aws_chunked},
      {"expression", expression}, {"partiql", partiql}, {"number", number}, {"attribute", attribute}, {"stored_item", stored_item}, {"key_value", key_value}, {"import_file", import_file}, {"ion_text", ion_text},
      {"key_tuple", key_tuple}, {"template_text", template_text}, {"zip_package", zip_package}, {"worker_frames", worker_frames}, {"runtime_api", runtime_api},
      {"stream_prelude", stream_prelude}, {"dns_question", dns_question}};
  return kTargets;
}

const Target& target(std::string_view name) {
  for (const Target& known : targets()) {
    if (known.name == name) return known;
  }
  throw std::out_of_range("no fuzz target " + std::string(name));
}

}  // namespace parvis::fuzz
