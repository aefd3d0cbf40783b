#include "services/dynamodb/s3_objects.h"

#include <fmt/format.h>

#include "models/s3.h"

namespace parvis::dynamodb {
namespace {

namespace s3 = aws::model::s3;

class WholeBody : public http::ByteSource {
 public:
  explicit WholeBody(std::string bytes) : bytes_(std::move(bytes)) {}
  awaitable<std::optional<std::string>> read() override {
    if (bytes_.empty()) co_return std::nullopt;
    co_return std::exchange(bytes_, {});
  }

 private:
  std::string bytes_;
};

template <class Input>
Input input_of(const ObjectPlace& place) {
  Input in;
  in.bucket = place.bucket;
  if (!place.owner.empty()) in.expected_bucket_owner = place.owner;
  return in;
}

}  // namespace

aws::CallContext S3Objects::context(const ObjectPlace& place) {
  aws::CallContext call;
  call.scope = place.scope;
  call.principal.arn = place.principal_arn;
  call.request_id = entropy_.uuid();
  const auto seconds = clock_.wall().time_since_epoch().count() / 1000;
  call.trace.trace_id = fmt::format("1-{:08x}-{}", static_cast<std::uint32_t>(seconds), entropy_.token(24, "0123456789abcdef"));
  call.origin = "dynamodb";
  return call;
}

awaitable<std::string> S3Objects::put(ObjectPlace place, std::string key, std::string bytes) {
  auto in = input_of<s3::PutObject::Input>(place);
  in.key = std::move(key);
  in.body = aws::Body(std::move(bytes));
  const s3::PutObject::Output out = co_await api_.call<s3::PutObject>(context(place), std::move(in));
  std::string etag = out.e_tag.value_or("");
  std::erase(etag, '"');
  co_return etag;
}

awaitable<std::vector<std::string>> S3Objects::list(ObjectPlace place, std::string prefix, std::string after) {
  auto in = input_of<s3::ListObjectsV2::Input>(place);
  in.prefix = std::move(prefix);
  if (!after.empty()) in.start_after = std::move(after);
  const s3::ListObjectsV2::Output out = co_await api_.call<s3::ListObjectsV2>(context(place), std::move(in));
  std::vector<std::string> keys;
  if (out.contents) {
    for (const s3::Object& object : *out.contents) keys.push_back(object.key.value());
  }
  co_return keys;
}

awaitable<std::shared_ptr<http::ByteSource>> S3Objects::open(ObjectPlace place, std::string key) {
  auto in = input_of<s3::GetObject::Input>(place);
  in.key = std::move(key);
  s3::GetObject::Output out = co_await api_.call<s3::GetObject>(context(place), std::move(in));
  if (out.body && out.body->source) co_return out.body->source;
  co_return std::make_shared<WholeBody>(out.body ? std::move(out.body->bytes) : std::string());
}

}  // namespace parvis::dynamodb
