// The pure parts: names, limits, records, payloads, and packages of untrusted zip files.
#include <filesystem>
#include <fstream>

#include <archive.h>
#include <archive_entry.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/hash.h"
#include "services/lambda/archive.h"
#include "services/lambda/errors.h"
#include "services/lambda/function.h"
#include "services/lambda/invoke.h"

namespace parvis::lambda {
namespace {

using testing::HasSubstr;
const aws::Scope kScope{"123456789012", "us-east-1"};

// "code: message" of the error that `work` throws; "" when it throws none.
std::string error_of(const std::function<void()>& work) {
  try {
    work();
    return {};
  } catch (const aws::ApiError& thrown) {
    return thrown.code() + ": " + thrown.message();
  }
}

struct RefCase { const char* name; std::string_view text, qualifier, want, error_part; };
class ParseRef : public testing::TestWithParam<RefCase> {};
TEST_P(ParseRef, FollowsTheServiceForms) {
  FunctionRef ref;
  const std::string failed = error_of([&] { ref = parse_function_ref(kScope, GetParam().text, GetParam().qualifier); });
  if (!GetParam().error_part.empty()) {
    EXPECT_THAT(failed, HasSubstr(GetParam().error_part));
  } else {
    EXPECT_EQ(failed, "");
    EXPECT_EQ(ref.qualified_arn(), GetParam().want);
  }
}
constexpr std::string_view kArn = "arn:aws:lambda:us-east-1:123456789012:function:hello";
INSTANTIATE_TEST_SUITE_P(Names, ParseRef, testing::Values(
    RefCase{"plain", "hello", "", kArn, ""},
    RefCase{"arn", kArn, "", kArn, ""},
    RefCase{"arn_with_qualifier", "arn:aws:lambda:us-east-1:123456789012:function:hello:$LATEST", "",
            "arn:aws:lambda:us-east-1:123456789012:function:hello:$LATEST", ""},
    RefCase{"partial", "123456789012:function:hello", "", kArn, ""},
    RefCase{"function_prefix", "function:hello", "", kArn, ""},
    RefCase{"name_and_qualifier", "hello:live", "", "arn:aws:lambda:us-east-1:123456789012:function:hello:live", ""},
    RefCase{"same_qualifier_twice", "hello:live", "live", "arn:aws:lambda:us-east-1:123456789012:function:hello:live", ""},
    RefCase{"two_qualifiers", "hello:live", "old", "", "does not match the specified qualifier"},
    RefCase{"other_region", "arn:aws:lambda:eu-west-1:123456789012:function:hello", "", "", "are not reachable in this region"},
    RefCase{"other_account", "210987654321:function:hello", "", "", "ResourceNotFoundException: Function not found"},
    RefCase{"empty", "", "", "", "ValidationException"}, RefCase{"path", "../x", "", "", "ValidationException"},
    RefCase{"spaces", "a b", "", "", "ValidationException"}, RefCase{"too_many_parts", "a:b:c:d:e", "", "", "ValidationException"},
    RefCase{"other_service", "arn:aws:s3:us-east-1:123456789012:function:hello", "", "", "ValidationException"},
    RefCase{"short_arn", "arn:aws:lambda", "", "", "ValidationException"}),
    [](const auto& info) { return info.param.name; });

struct LimitCase { const char* name; std::function<void()> work; std::string_view error_part; };
class Limits : public testing::TestWithParam<LimitCase> {};
TEST_P(Limits, AreTheServices) {
  const std::string failed = error_of(GetParam().work);
  if (GetParam().error_part.empty()) EXPECT_EQ(failed, "");
  else EXPECT_THAT(failed, HasSubstr(GetParam().error_part));
}
void snap_start_of(std::string runtime) {
  FunctionRecord record;
  record.scope = kScope;
  record.name = "hello";
  record.runtime = std::move(runtime);
  record.handler = "app.handler";
  record.architecture = "x86_64";
  record.snap_start = true;
  check_whole(record);
}
INSTANTIATE_TEST_SUITE_P(Values, Limits, testing::Values(
    LimitCase{"memory_low", [] { check_memory(127); }, "Value '127' at 'memorySize' failed to satisfy constraint: Member must have value "
              "greater than or equal to 128"},
    LimitCase{"memory_min", [] { check_memory(128); }, ""}, LimitCase{"memory_max", [] { check_memory(10240); }, ""},
    LimitCase{"memory_high", [] { check_memory(10241); }, "less than or equal to 10240"},
    LimitCase{"timeout_zero", [] { check_timeout(0); }, "greater than or equal to 1"},
    LimitCase{"timeout_max", [] { check_timeout(900); }, ""}, LimitCase{"timeout_high", [] { check_timeout(901); }, "less than or equal to 900"},
    LimitCase{"node", [] { check_runtime("nodejs22.x"); }, ""},
    LimitCase{"retired", [] { check_runtime("nodejs12.x"); }, "is no longer supported for creating or updating AWS Lambda functions"},
    LimitCase{"python", [] { check_runtime("python3.12"); }, ""}, LimitCase{"bootstrap", [] { check_runtime("provided.al2023"); }, ""},
    LimitCase{"not_here", [] { check_runtime("dotnet8"); }, "not available on this platform"},
    LimitCase{"unknown", [] { check_runtime("cobol"); }, "Member must satisfy enum value set"},
    LimitCase{"long_name", [] { check_name(std::string(65, 'a')); }, "length less than or equal to 64"},
    LimitCase{"reserved_keys", [] { check_environment({{"AWS_REGION", "x"}, {"_HANDLER", "y"}}); },
              "Reserved keys used in this request: AWS_REGION, _HANDLER"},
    LimitCase{"environment_4_kb", [] { check_environment({{"BIG", std::string(4096, 'x')}}); }, "exceeded the 4KB limit"},
    LimitCase{"environment_fits", [] { check_environment({{"BIG", std::string(4000, 'x')}, {"PATH", "/bin"}}); }, ""},
    LimitCase{"environment_key", [] { check_environment({{"1A", "x"}}); }, "regular expression pattern"},
    LimitCase{"environment_null", [] { check_environment({{"AB", std::string("a\0b", 3)}}); }, "null character"},
    LimitCase{"system_tag", [] { check_tags({{"aws:x", "y"}}, false); }, "System tags"},
    LimitCase{"network_tag", [] { check_tags({{"parvis:network", "platform"}}, false); }, ""},
    LimitCase{"unknown_network", [] { check_tags({{"parvis:network", "some"}}, false); }, "parvis:network is none, platform or outbound"},
    LimitCase{"snap_start_before_java11", [] { snap_start_of("java8.al2"); }, "java8.al2 is not supported for SnapStart enabled functions."},
    LimitCase{"snap_start_before_python312", [] { snap_start_of("python3.11"); }, "python3.11 is not supported for SnapStart"},
    LimitCase{"snap_start_of_java", [] { snap_start_of("java17"); }, ""}, LimitCase{"snap_start_of_node", [] { snap_start_of("nodejs22.x"); }, "not supported for SnapStart"},
    LimitCase{"template_tag", [] { check_tags({{"aws:x", "y"}}, true); }, ""}),
    [](const auto& info) { return info.param.name; });

struct PayloadCase { const char* name; std::string payload; bool async; std::string_view error_part; };
class Payload : public testing::TestWithParam<PayloadCase> {};
TEST_P(Payload, IsCheckedBeforeTheCall) {
  const std::string failed = error_of([] { check_payload(GetParam().payload, GetParam().async); });
  if (GetParam().error_part.empty()) EXPECT_EQ(failed, "");
  else EXPECT_THAT(failed, HasSubstr(GetParam().error_part));
}
INSTANTIATE_TEST_SUITE_P(Json, Payload, testing::Values(
    PayloadCase{"object", R"({"a":[1,2.5,"x",null,true]})", false, ""}, PayloadCase{"empty", "", false, ""},
    PayloadCase{"number", "7", false, ""}, PayloadCase{"number_and_newline", "7\n", false, ""}, PayloadCase{"text", "\"x\"", false, ""},
    PayloadCase{"word", "STRING_VALUE", false, "InvalidRequestContentException: Could not parse request body into json: Could not parse "
                "payload into json: Unrecognized token 'STRING_VALUE': was expecting"},
    PayloadCase{"cut", "{\"a\":", false, "Unexpected end-of-input"}, PayloadCase{"two_values", "{} x", false, "Unrecognized token 'x'"},
    PayloadCase{"blank", "  ", false, "Unexpected end-of-input"},
    PayloadCase{"not_utf8", "\"\xff\"", false, "Could not parse"}, PayloadCase{"too_deep", std::string(2000, '['), false, "Could not parse"},
    PayloadCase{"sync_limit", "\"" + std::string((6u << 20) - 2, 'x') + "\"", false, ""},
    PayloadCase{"sync_over", "\"" + std::string((6u << 20) - 1, 'x') + "\"", false, "RequestTooLargeException: 6291457 byte payload is too "
                "large for the RequestResponse invocation type (limit 6291456 bytes)"},
    PayloadCase{"async_over", "\"" + std::string(1u << 20, 'x') + "\"", true, "too large for the Event invocation type (limit 1048576 bytes)"}),
    [](const auto& info) { return info.param.name; });

TEST(Record, ComesBackAsItWasWritten) {
  FunctionRecord record;
  record.scope = kScope;
  record.name = "hello";
  record.runtime = "nodejs22.x";
  record.handler = "index.handler";
  record.environment = {{"A", "1"}, {"UML", "ä\""}};
  record.tags = {{"team", "web"}};
  record.reserved_concurrency = 0;
  record.code = {"id", "", std::string("\0\xff", 2) + std::string(30, 'x'), 123};
  record.id = "6f0f8d5e";
  record.version = "3";
  record.layers = {{"arn:aws:lambda:us-east-1:123456789012:layer:l:1", {"id2", "", std::string(32, 'y'), 5}}};
  record.snap_start = true;
  record.next_version = 4;
  record.published_config = "abc";
  record.last_modified = Millis{std::chrono::milliseconds{1795428000123}};
  const std::string json = to_json(record);
  const std::optional<FunctionRecord> back = parse_record(json);
  ASSERT_TRUE(back);
  EXPECT_EQ(to_json(*back), json);
  EXPECT_EQ(back->code.sha256, record.code.sha256);
  EXPECT_EQ(back->reserved_concurrency, 0);
  EXPECT_THAT(format_last_modified(record.last_modified), testing::EndsWith(".123+0000"));
  EXPECT_FALSE(parse_record("{}"));
  EXPECT_FALSE(parse_record(R"({"format":3})"));
  EXPECT_FALSE(parse_record("garbage"));
}

TEST(LogTail, IsTheLast4Kb) {
  EXPECT_EQ(base64_decode(log_tail_base64("short")), "short");
  EXPECT_EQ(base64_decode(log_tail_base64("x" + std::string(4096, 'y'))), std::string(4096, 'y'));
}

// ---- packages
class Unpack : public testing::Test {
 protected:
  Unpack() {
    std::string pattern = (std::filesystem::temp_directory_path() / "parvis-unpack-XXXXXX").string();
    folder_ = mkdtemp(pattern.data());
    std::filesystem::create_directories(folder_ / "in");
  }
  ~Unpack() override { std::filesystem::remove_all(folder_); }
  std::expected<std::uint64_t, UnpackError> unpack(std::string_view zip, UnpackLimits limits = {}) {
    return unpack_zip(zip, (folder_ / "in").string(), limits);
  }
  std::string read(const std::string& path) {
    std::ifstream in(folder_ / "in" / path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  std::filesystem::path folder_;
};

struct ZipEntry { std::string path, contents; std::string symlink; int mode = 0644; };
std::string zip_of(const std::vector<ZipEntry>& entries) {
  archive* out = archive_write_new();
  archive_write_set_format_zip(out);
  std::string buffer(8u << 20, '\0');
  std::size_t used = 0;
  archive_write_open_memory(out, buffer.data(), buffer.size(), &used);
  for (const ZipEntry& e : entries) {
    archive_entry* entry = archive_entry_new();
    archive_entry_set_pathname(entry, e.path.c_str());
    archive_entry_set_perm(entry, static_cast<mode_t>(e.mode));
    if (!e.symlink.empty()) {
      archive_entry_set_filetype(entry, AE_IFLNK);
      archive_entry_set_symlink(entry, e.symlink.c_str());
    } else {
      archive_entry_set_filetype(entry, AE_IFREG);
      archive_entry_set_size(entry, static_cast<la_int64_t>(e.contents.size()));
    }
    archive_write_header(out, entry);
    if (e.symlink.empty()) archive_write_data(out, e.contents.data(), e.contents.size());
    archive_entry_free(entry);
  }
  archive_write_close(out);
  archive_write_free(out);
  buffer.resize(used);
  return buffer;
}

TEST_F(Unpack, WritesFilesAndFolders) {
  const auto size = unpack(zip_of({{"index.js", "exports.x=1", "", 0600}, {"a/./b/c.txt", "deep", ""}, {"bin/run", "#!", "", 0755}}));
  ASSERT_TRUE(size) << size.error().detail;
  EXPECT_EQ(*size, 17u);
  EXPECT_EQ(read("index.js"), "exports.x=1");
  EXPECT_EQ(read("a/b/c.txt"), "deep");
  EXPECT_EQ(std::filesystem::status(folder_ / "in/bin/run").permissions() & std::filesystem::perms::owner_exec,
            std::filesystem::perms::owner_exec);
}

TEST_F(Unpack, MadeZipComesBack) {
  ASSERT_TRUE(unpack(make_zip("index.js", "hello")));
  EXPECT_EQ(read("index.js"), "hello");
  EXPECT_EQ(make_zip("index.js", "hello"), make_zip("index.js", "hello"));
}

struct UnsafeCase { const char* name; std::vector<ZipEntry> entries; UnpackErrc want; };
class Refused : public Unpack, public testing::WithParamInterface<UnsafeCase> {};
TEST_P(Refused, WithoutLeavingTheFolder) {
  UnpackLimits limits;
  limits.bytes_max = 1u << 20;
  limits.entries_max = 5;
  const auto size = unpack(zip_of(GetParam().entries), limits);
  ASSERT_FALSE(size);
  EXPECT_EQ(size.error().code, GetParam().want) << size.error().detail;
  for (const auto& entry : std::filesystem::directory_iterator(folder_)) EXPECT_EQ(entry.path().filename(), "in");
}
INSTANTIATE_TEST_SUITE_P(Zips, Refused, testing::Values(
    UnsafeCase{"parent", {{"../evil", "x", ""}}, UnpackErrc::kUnsafe},
    UnsafeCase{"inner_parent", {{"a/../../evil", "x", ""}}, UnpackErrc::kUnsafe},
    UnsafeCase{"absolute", {{"/tmp/evil", "x", ""}}, UnpackErrc::kUnsafe},
    UnsafeCase{"backslash", {{"..\\evil", "x", ""}}, UnpackErrc::kUnsafe},
    UnsafeCase{"drive", {{"C:evil", "x", ""}}, UnpackErrc::kUnsafe},
    UnsafeCase{"symlink", {{"link", "", "/etc/passwd"}}, UnpackErrc::kUnsafe},
    UnsafeCase{"through_symlink", {{"link", "", ".."}, {"link/evil", "x", ""}}, UnpackErrc::kUnsafe},
    UnsafeCase{"file_as_folder", {{"a", "x", ""}, {"a/b", "x", ""}}, UnpackErrc::kUnsafe},
    UnsafeCase{"bomb", {{"zeros", std::string(4u << 20, '\0'), ""}}, UnpackErrc::kTooLarge},
    UnsafeCase{"entries", {{"a", "", ""}, {"b", "", ""}, {"c", "", ""}, {"d", "", ""}, {"e", "", ""}, {"f", "", ""}}, UnpackErrc::kTooLarge},
    UnsafeCase{"empty", {}, UnpackErrc::kEmpty}),
    [](const auto& info) { return info.param.name; });

TEST_F(Unpack, RefusesWhatIsNoZip) {
  for (std::string_view bytes : {"", "hello", "PK\3\4", "\x1f\x8b"}) {
    EXPECT_FALSE(unpack(bytes)) << bytes;
  }
  std::string cut = zip_of({{"index.js", std::string(10000, 'x'), ""}});
  for (std::size_t size = 0; size < cut.size(); size += 7) EXPECT_FALSE(unpack(std::string_view(cut).substr(0, size)));
}

}  // namespace
}  // namespace parvis::lambda
