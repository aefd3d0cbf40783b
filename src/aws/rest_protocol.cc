// HTTP bindings of the rest-json and rest-xml protocols: members in the path, the query string, headers, the status, and
// the body as JSON, XML, raw bytes or a stream. Source: the Smithy specification, "HTTP binding traits".
#include <array>

#include <fmt/format.h>

#include "aws/json_codec.h"
#include "aws/member_text.h"
#include "aws/protocol.h"
#include "aws/service_style.h"
#include "aws/unbound_parts.h"
#include "aws/xml.h"
#include "core/ascii.h"

namespace parvis::aws::detail {
namespace {

using QueryParameters = std::vector<std::pair<std::string, std::string>>;

void from_text(const Member& m, std::string_view text, void* owner) {
  if (auto error = scalar_from_text(*m.shape, text, m.emplace_in(owner))) throw DecodeError(fmt::format("{}: {}", m.wire, *error));
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return text;
}

// A comma stands between elements, except that the two halves of an HTTP date stay together and quotes protect.
std::vector<std::string> split_list(std::string_view text, bool dates) {
  std::vector<std::string> parts;
  std::string part;
  bool quoted = false;
  unsigned commas = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quoted && c == '\\' && i + 1 < text.size()) { part += text[++i]; continue; }
    if (c == '"') { quoted = !quoted; continue; }
    if (c == ',' && !quoted && !(dates && ++commas % 2 == 1)) { parts.emplace_back(trimmed(part)); part.clear(); continue; }
    part += c;
  }
  if (!trimmed(part).empty() || !parts.empty()) parts.emplace_back(trimmed(part));
  return parts;
}

void decode_header(const Member& m, const http::Headers& headers, void* owner) {
  const auto values = headers.all(m.wire);
  if (values.empty()) return;
  if (m.shape->kind != Kind::kList) return from_text(m, values.front(), owner);
  void* list = m.emplace_in(owner);
  for (std::string_view value : values) {
    for (const std::string& part : split_list(value, m.shape->element->kind == Kind::kTimestamp)) {
      if (auto error = scalar_from_text(*m.shape->element, part, m.shape->list->add(list))) throw DecodeError(fmt::format("{}: {}", m.wire, *error));
    }
  }
}

void decode_prefixed_headers(const Member& m, const http::Headers& headers, void* owner) {
  void* map = nullptr;
  for (const auto& [name, value] : headers) {
    const bool matches = name.size() > m.wire.size() && equal_no_case(m.wire, std::string_view(name).substr(0, m.wire.size()));
    if (!matches) continue;
    if (!map) map = m.emplace_in(owner);
    scalar_from_text(*m.shape->element, value, m.shape->map->add(map, std::string(name.substr(m.wire.size()))));
  }
}

void decode_query_member(const Member& m, const OperationModel& op, const QueryParameters& query, void* owner) {
  if (m.shape->kind == Kind::kMap) {  // everything that no other member binds
    void* map = nullptr;
    std::map<std::string, void*> started;
    for (const auto& [name, value] : query) {
      const bool bound = is_in_uri(op.uri, name) || std::ranges::any_of(op.input->members, [&](const Member& other) {
        return &other != &m && other.location == Location::kQuery && other.wire == name;
      });
      if (bound) continue;
      if (!map) map = m.emplace_in(owner);
      void*& item = started[name];
      if (!item) item = m.shape->map->add(map, name);
      const Shape& element = *m.shape->element;
      scalar_from_text(element.kind == Kind::kList ? *element.element : element, value,
                       element.kind == Kind::kList ? element.list->add(item) : item);
    }
    return;
  }
  void* list = nullptr;
  for (const auto& [name, value] : query) {
    if (name != m.wire) continue;
    if (m.shape->kind != Kind::kList) return from_text(m, value, owner);
    if (!list) list = m.emplace_in(owner);
    if (auto error = scalar_from_text(*m.shape->element, value, m.shape->list->add(list))) throw DecodeError(fmt::format("{}: {}", m.wire, *error));
  }
}

void decode_document(const Shape& shape, bool xml, std::string_view body, void* out, std::vector<std::string>& ignored) {
  if (body.find_first_not_of(" \t\r\n") == body.npos) return;
  if (xml) {
    auto root = parse_xml(body);
    if (!root) throw DecodeError("The XML you provided was not well-formed or did not validate against our published schema: " + root.error());
    decode_xml(shape, *root, out, ignored);
    return;
  }
  decode_json(shape, parse_json(body), out, ignored);
}

void decode_payload(const Member& m, bool xml, http::Request& request, void* owner, std::vector<std::string>& ignored) {
  if (m.shape->kind == Kind::kStream) {
    Body& body = *static_cast<Body*>(m.emplace_in(owner));
    body.source = std::move(request.stream);
    body.bytes = std::move(request.body);
    return;
  }
  if (request.body.empty()) return;
  if (m.shape->kind == Kind::kBlob || m.shape->kind == Kind::kString) {
    *static_cast<std::string*>(m.emplace_in(owner)) = std::move(request.body);
    return;
  }
  decode_document(*m.shape, xml, request.body, m.emplace_in(owner), ignored);
}

// ---- answers
struct HeaderWriter {
  const Member& member;
  http::Headers& headers;
};

std::string header_text(const Shape& shape, const void* value, const Member& m) {
  if (shape.kind != Kind::kList) return scalar_to_text(shape, value, &shape == m.shape ? format_of(m) : shape.timestamp, TimestampFormat::kRfc822);
  std::string text;
  for (std::size_t i = 0; i < shape.list->size(value); ++i) {
    if (i) text += ", ";
    text += header_text(*shape.element, shape.list->at(value, i), m);
  }
  return text;
}

void write_prefixed_headers(const Member& m, const void* value, http::Headers& headers) {
  HeaderWriter writer{m, headers};
  m.shape->map->each(value, &writer, [](void* context, const std::string& key, const void* item) {
    auto& w = *static_cast<HeaderWriter*>(context);
    w.headers.add(std::string(w.member.wire) + key, header_text(*w.member.shape->element, item, w.member));
  });
}

// Free function: the coroutine's state must not live in a lambda.
awaitable<> copy_body(std::shared_ptr<http::ByteSource> source, http::ByteSink& sink) {
  while (std::optional<std::string> piece = co_await source->read()) co_await sink.write(std::move(*piece));
}

class EventEncoder final : public EventSink {
 public:
  EventEncoder(const Shape& events, http::ByteSink& sink) : events_(events), sink_(sink) {}
  awaitable<> write(std::shared_ptr<const void> event) override { co_await sink_.write(encode_event(events_, event.get())); }

 private:
  const Shape& events_;
  http::ByteSink& sink_;
};
awaitable<> write_events(std::function<awaitable<>(EventSink&)> run, const Shape* events, http::ByteSink& sink) {
  EventEncoder encoder(*events, sink);
  co_await run(encoder);
}

// Roots of S3's answers, which the models do not name. Source: S3 API Reference, the response syntax of each operation.
constexpr std::array<std::pair<std::string_view, std::string_view>, 17> kS3Roots{{
    {"CompleteMultipartUpload", "CompleteMultipartUploadResult"}, {"CreateMultipartUpload", "InitiateMultipartUploadResult"},
    {"DeleteObjects", "DeleteResult"}, {"GetBucketAcl", "AccessControlPolicy"}, {"GetBucketCors", "CORSConfiguration"},
    {"GetBucketLocation", "LocationConstraint"}, {"GetBucketTagging", "Tagging"}, {"GetBucketVersioning", "VersioningConfiguration"},
    {"GetObjectAcl", "AccessControlPolicy"}, {"GetObjectAttributes", "GetObjectAttributesResponse"}, {"GetObjectTagging", "Tagging"},
    {"ListBuckets", "ListAllMyBucketsResult"}, {"ListMultipartUploads", "ListMultipartUploadsResult"}, {"ListObjects", "ListBucketResult"},
    {"ListObjectsV2", "ListBucketResult"}, {"ListObjectVersions", "ListVersionsResult"}, {"ListParts", "ListPartsResult"},
}};

std::string root_of(const OperationModel& op) {
  if (!op.output->xml_name.empty()) return std::string(op.output->xml_name);
  for (const auto& [operation, root] : kS3Roots) if (op.service == "s3" && op.name == operation) return std::string(root);
  return std::string(op.name) + "Result";
}

// The members of an answer under its root. GetBucketLocation's one member has no element of its own.
void write_root(const OperationModel& op, const void* output, std::string& out) {
  if (op.service == "s3" && op.name == "GetBucketLocation") {
    const Member& only = op.output->members.front();
    if (const void* field = only.value_in(output)) write_xml_text(scalar_to_text(*only.shape, field, only.timestamp, TimestampFormat::kIso8601), out);
    return;
  }
  write_xml_members(*op.output, output, out);
}

void encode_payload(const OperationModel& op, const Member& m, const void* field, http::Response& response) {
  const bool xml = op.service_model->protocol == Protocol::kRestXml;
  const auto content_type = [&](std::string_view type) {
    if (!response.headers.find("Content-Type")) response.headers.add("Content-Type", std::string(type));
  };
  if (m.shape->kind == Kind::kStream) {
    content_type("application/octet-stream");
    if (!field) return;
    const Body& body = *static_cast<const Body*>(field);
    if (!body.source) { response.body = body.bytes; return; }
    if (body.size_bytes) response.headers.set("Content-Length", std::to_string(*body.size_bytes));
    response.stream = [source = body.source](http::ByteSink& sink) { return copy_body(source, sink); };
    return;
  }
  if (m.shape->kind == Kind::kEventStream) {
    content_type("application/vnd.amazon.eventstream");
    if (field) response.stream = [run = static_cast<const EventStream*>(field)->run, events = m.shape->element](http::ByteSink& sink) {
      return write_events(run, events, sink);
    };
    return;
  }
  if (m.shape->kind == Kind::kBlob || m.shape->kind == Kind::kString) {
    content_type(m.shape->kind == Kind::kString ? "text/plain" : style_of(op.service, op.service_model->protocol).blob_content_type);
    if (field) response.body = *static_cast<const std::string*>(field);
    return;
  }
  content_type(xml ? "application/xml" : "application/json");
  if (!field) return;
  if (xml) {
    response.body = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";
    write_xml_element(m.wire, *m.shape, field, &m, response.body);
  } else {
    encode_json(*m.shape, field, response.body);
  }
}

}  // namespace

void decode_rest(const OperationModel& op, http::Request& request, const Route& route, void* input, std::vector<std::string>& ignored) {
  const bool xml = op.service_model->protocol == Protocol::kRestXml;
  QueryParameters query;
  if (!request.query().empty()) query = http::parse_query(request.query());
  if (query.size() > 10'000) throw DecodeError("Too many parameters");
  const Member* payload = nullptr;
  bool body_members = false;
  for (const Member& m : op.input->members) {
    switch (m.location) {
      case Location::kUri:
        if (auto at = route.labels.find(m.wire); at != route.labels.end()) from_text(m, at->second, input);
        break;
      case Location::kQuery: decode_query_member(m, op, query, input); break;
      case Location::kHeader: decode_header(m, request.headers, input); break;
      case Location::kHeaders: decode_prefixed_headers(m, request.headers, input); break;
      case Location::kPayload: payload = &m; break;
      case Location::kBody: body_members = true; break;
      case Location::kStatusCode: break;
    }
  }
  note_unbound_parts(op, request.headers, query, ignored);
  if (payload) decode_payload(*payload, xml, request, input, ignored);
  else if (body_members) decode_document(*op.input, xml, request.body, input, ignored);
}

http::Response encode_rest(const OperationModel& op, const std::shared_ptr<void>& output) {
  http::Response response;
  response.status = op.response_code;
  const bool xml = op.service_model->protocol == Protocol::kRestXml;
  const Member* payload = nullptr;
  bool body_members = false;
  for (const Member& m : op.output->members) {
    const void* field = m.value_in(output.get());
    switch (m.location) {
      case Location::kPayload: payload = &m; break;
      case Location::kBody: body_members = true; break;
      case Location::kHeader:
        if (!field) break;
        response.headers.add(std::string(m.wire), header_text(*m.shape, field, m));
        if (m.wire == "Content-Range") response.status = 206;  // RFC 9110, section 15.3.7; no model has a member for it
        break;
      case Location::kHeaders: if (field) write_prefixed_headers(m, field, response.headers); break;
      case Location::kStatusCode: if (field) response.status = static_cast<unsigned>(*static_cast<const int*>(field)); break;
      case Location::kUri: case Location::kQuery: break;
    }
  }
  if (payload) {
    encode_payload(op, *payload, payload->value_in(output.get()), response);
  } else if (xml && body_members) {
    response.headers.add("Content-Type", "application/xml");
    const std::string name = root_of(op);
    const std::string_view ns = op.service_model->xml_namespace;
    response.body = fmt::format("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<{} xmlns=\"{}\">", name,
                                ns.empty() ? "http://s3.amazonaws.com/doc/2006-03-01/" : ns);
    write_root(op, output.get(), response.body);
    response.body += "</" + name + ">";
  } else if (!xml && op.has_output) {
    response.headers.add("Content-Type", "application/json");
    if (response.status != 204) encode_json(*op.output, output.get(), response.body);
  }
  return response;
}

}  // namespace parvis::aws::detail
