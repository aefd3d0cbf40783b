#include "platform/bundler.h"

#include <optional>
#include <stdexcept>

#include <unistd.h>

#include <fmt/format.h>

#include "core/file.h"
#include "core/hash.h"
#include "platform/esbuild_messages.h"
#include "services/lambda/code.h"
#include "templates/includes.h"

namespace parvis::platform {
namespace fs = std::filesystem;
namespace json = boost::json;
using templates::child;
using templates::Document;
namespace {

const json::object* object_at(const json::object& parent, std::string_view key) {
  const auto* value = parent.if_contains(key);
  return value ? value->if_object() : nullptr;
}

std::string text_at(const json::object* object, std::string_view key) {
  const auto* value = object ? object->if_contains(key) : nullptr;
  return value ? templates::scalar_text(*value) : std::string{};
}

std::string hash_of(const std::string& names_and_digests) { return hex_encode(sha256(names_and_digests)).substr(0, 32); }
std::string hash_line(std::string_view name, std::string_view contents) { return fmt::format("{}\n{}\n", name, hex_encode(sha256(contents))); }

// The hash of every path and its contents below a folder, in order.
std::string folder_hash(const fs::path& folder) {
  std::set<fs::path> files;
  for (const auto& entry : fs::recursive_directory_iterator(folder))
    if (entry.is_regular_file()) files.insert(entry.path());
  std::string all;
  for (const auto& file : files) all += hash_line(file.lexically_relative(folder).string(), read_file(file));
  return hash_of(all);
}

}  // namespace

// One template's way through.
class Bundler {
 public:
  Bundler(Document document, TemplateBundler& keeper) : keeper_(keeper) { result_.document = std::move(document); }

  BundledTemplate run() {
    include();
    auto* resources = result_.document.root.is_object() ? result_.document.root.get_object().if_contains("Resources") : nullptr;
    if (!resources || !resources->is_object()) return std::move(result_);
    for (auto& [id, resource] : resources->get_object()) {
      const std::string type = resource.is_object() ? text_at(&resource.get_object(), "Type") : "";
      if (type == "AWS::Serverless::Function") one(child("/Resources", id), resource.get_object(), "CodeUri");
      if (type == "AWS::Lambda::Function") one(child("/Resources", id), resource.get_object(), "Code");
      if (type == "AWS::Serverless::LayerVersion") layer(child("/Resources", id), resource.get_object(), "ContentUri");
      if (type == "AWS::Lambda::LayerVersion") layer(child("/Resources", id), resource.get_object(), "Content");
    }
    std::erase_if(keeper_.done_, [this](const auto& done) { return !used_.contains(done.first); });
    return std::move(result_);
  }

 private:
  void include() {
    const fs::path folder = fs::path(result_.document.file).parent_path();
    for (const std::string& file : templates::included_files(result_.document)) result_.inputs.insert((folder / file).lexically_normal());
    auto wrong = templates::include_files(result_.document, templates::local_reader(result_.document));
    result_.errors.insert(result_.errors.end(), std::make_move_iterator(wrong.begin()), std::make_move_iterator(wrong.end()));
  }

  // A property of the function, or of Globals.
  json::value property(json::object& resource, std::string_view name) const {
    if (const auto* properties = object_at(resource, "Properties"); properties && properties->contains(name)) return properties->at(name);
    if (const auto* globals = object_at(result_.document.root.get_object(), "Globals"))
      if (const auto* function = object_at(*globals, "Function"); function && function->contains(name)) return function->at(name);
    return nullptr;
  }

  void error(std::string_view pointer, std::string what, std::string hint) {
    result_.errors.push_back(result_.document.error(pointer, std::move(what), std::move(hint)));
  }

  void one(const std::string& pointer, json::object& resource, std::string_view code_name) {
    const json::value code = property(resource, code_name);
    const std::string at = child(child(pointer, "Properties"), code_name);
    const bool inline_code = !property(resource, "InlineCode").is_null();
    if (inline_code || code.is_object()) return;  // written in the template, or already packaged
    const std::string place = templates::scalar_text(code);
    if (place.starts_with("s3://")) return;
    const fs::path base = fs::path(result_.document.file).parent_path();
    const fs::path source = (base / (place.empty() ? "." : place)).lexically_normal();
    if (fs::is_regular_file(source)) return error(at, fmt::format("{} is a file", source.string()), "name the folder of the code; packages are taken from S3 only");
    if (!fs::is_directory(source))
      return error(at, fmt::format("the code folder {} does not exist", source.string()), "name an existing folder");
    const fs::path bundle = build(pointer, resource, source);
    if (bundle.empty() || !check_handler(pointer, resource, bundle)) return;
    auto& properties = resource["Properties"].is_object() ? resource["Properties"].get_object() : resource["Properties"].emplace_object();
    if (code_name == "CodeUri") {
      properties["CodeUri"] = {{"Bucket", lambda::kLocalBucket}, {"Key", bundle.string()}};
    } else {
      properties["Code"] = {{"S3Bucket", lambda::kLocalBucket}, {"S3Key", bundle.string()}};
    }
  }

  // A layer's folder as it is; with a build method, below the folder where its runtime looks. Dependencies are not installed.
  void layer(const std::string& pointer, json::object& resource, std::string_view content_name) {
    auto* properties = resource.contains("Properties") ? resource["Properties"].if_object() : nullptr;
    const auto* content = properties ? properties->if_contains(content_name) : nullptr;
    if (!content || content->is_object()) return;  // packaged already, or the transform says what is missing
    const std::string place = templates::scalar_text(*content);
    if (place.starts_with("s3://")) return;
    const fs::path source = (fs::path(result_.document.file).parent_path() / place).lexically_normal();
    const std::string at = child(child(pointer, "Properties"), content_name);
    if (!fs::is_directory(source)) return error(at, fmt::format("the layer folder {} does not exist", source.string()), "name an existing folder");
    const std::string method = text_at(object_at(resource, "Metadata"), "BuildMethod");
    std::string below;
    if (method.starts_with("nodejs")) below = "nodejs";
    else if (method.starts_with("python")) below = "python";
    else if (!method.empty()) {
      return error(child(child(pointer, "Metadata"), "BuildMethod"), fmt::format("build method '{}' of a layer is not supported", method),
                   "use nodejs or python with installed dependencies, or leave it out to serve the folder as it is");
    }
    if (below == "nodejs" && fs::exists(source / "package.json") && !fs::is_directory(source / "node_modules"))
      return error(at, fmt::format("{} has a package.json and no node_modules", source.string()), "run npm install there");
    for (const auto& entry : fs::recursive_directory_iterator(source))
      if (entry.is_regular_file()) result_.inputs.insert(entry.path());
    const fs::path target = keeper_.out_dir_ / ("layer-" + (below.empty() ? "" : below + "-") + folder_hash(source));
    if (!fs::exists(target)) {
      const fs::path work = keeper_.out_dir_ / fmt::format("work-layer-{}-{}", ::getpid(), layers_++);
      fs::remove_all(work);
      fs::create_directories((work / below).parent_path());
      fs::copy(source, below.empty() ? work : work / below, fs::copy_options::recursive | fs::copy_options::copy_symlinks);
      fs::rename(work, target);
    }
    if (content_name == "ContentUri") (*properties)["ContentUri"] = {{"Bucket", lambda::kLocalBucket}, {"Key", target.string()}};
    else (*properties)["Content"] = {{"S3Bucket", lambda::kLocalBucket}, {"S3Key", target.string()}};
  }

  fs::path build(const std::string& pointer, json::object& resource, const fs::path& source) {
    const auto* metadata = object_at(resource, "Metadata");
    const std::string method = text_at(metadata, "BuildMethod");
    const std::string metadata_at = child(pointer, "Metadata");
    functions::BundleOptions bundle;
    bundle.source_dir = source.string();
    if (method == "esbuild") {
      bundle.keep_folders = false;
      if (!read_settings(metadata_at, object_at(*metadata, "BuildProperties"), bundle)) return {};
    } else if (!method.empty()) {
      error(child(metadata_at, "BuildMethod"), fmt::format("build method '{}' is not supported", method),
            "use esbuild, or leave it out to serve the folder as it is");
      return {};
    }
    const std::string handler = templates::scalar_text(property(resource, "Handler"));
    // ES modules first: esbuild drops what is not used of them, which halves a bundle with the AWS SDK.
    if (bundle.main_fields.empty()) bundle.main_fields = {"module", "main"};
    if (bundle.entry_points.empty()) {
      const std::string stem = handler.substr(0, handler.rfind('.'));
      for (const char* ending : {".ts", ".mts", ".cts", ".tsx"})
        if (fs::exists(source / (stem + ending))) bundle.entry_points.push_back(stem + ending);
      if (bundle.entry_points.empty()) {
        if (method == "esbuild")
          error(metadata_at, "no EntryPoints, and no .ts file stands where Handler says", "add BuildProperties.EntryPoints");
        return method == "esbuild" ? fs::path{} : plain(source);
      }
    }
    for (const auto& entry : bundle.entry_points)
      if (!fs::exists(source / entry)) {
        error(metadata_at, fmt::format("entry point {} does not exist in {}", entry, source.string()), "correct EntryPoints");
        return {};
      }
    return run_esbuild(std::move(bundle), metadata_at);
  }

  // A handler that the code does not have would fail at the first call: it is refused here, while the last good version serves.
  bool check_handler(const std::string& pointer, json::object& resource, const fs::path& bundle) {
    if (!templates::scalar_text(property(resource, "Runtime")).starts_with("nodejs")) return true;
    const std::string handler = templates::scalar_text(property(resource, "Handler"));
    const auto slash = handler.rfind('/');
    const auto dot = handler.find('.', slash == std::string::npos ? 0 : slash + 1);
    const std::string at = child(child(pointer, "Properties"), "Handler");
    if (handler.empty()) return true;  // the property's own check says it
    if (dot == std::string::npos || dot + 1 == handler.size()) {
      error(at, fmt::format("the handler '{}' names no export", handler), "write it as file.export");
      return false;
    }
    const std::string stem = handler.substr(0, dot), name = handler.substr(dot + 1, handler.find('.', dot + 1) - dot - 1);
    for (const char* ending : {".js", ".mjs", ".cjs"}) {
      const fs::path file = bundle / (stem + ending);
      if (!fs::exists(file)) continue;
      const auto exported = exports_of_bundle(read_file(file));
      if (!exported || exported->contains(name)) return true;
      error(at, fmt::format("{} exports no '{}'; it exports {}", stem, name, exported->empty() ? "nothing" : fmt::format("{}", fmt::join(*exported, ", "))),
            "export it, or correct Handler");
      return false;
    }
    // A file without an ending is CommonJS to Lambda; a layer may bring the handler.
    if (fs::exists(bundle / stem) || !property(resource, "Layers").is_null()) return true;
    error(at, fmt::format("the handler '{}' needs a file {}.js, {}.mjs or {}.cjs, and the code has none", handler, stem, stem, stem), "correct Handler or EntryPoints");
    return false;
  }

  fs::path plain(const fs::path& source) {
    for (const auto& entry : fs::recursive_directory_iterator(source))
      if (entry.is_regular_file()) result_.inputs.insert(entry.path());
    if (keeper_.in_place_) {  // debuggers know these files by the names that editors know them by
      const fs::path link = keeper_.out_dir_ / ("source-" + folder_hash(source));
      if (!fs::exists(link)) fs::create_directory_symlink(fs::absolute(source), link);
      return link;
    }
    const fs::path target = keeper_.out_dir_ / folder_hash(source);
    if (!fs::exists(target)) fs::copy(source, target, fs::copy_options::recursive | fs::copy_options::copy_symlinks);
    return target;
  }

  bool read_settings(const std::string& metadata_at, const json::object* properties, functions::BundleOptions& bundle) {
    if (!properties) return true;
    bool good = true;
    for (const auto& [name, value] : *properties) {
      std::vector<std::string> list;
      if (const auto* array = value.if_array())
        for (const auto& element : *array) list.push_back(templates::scalar_text(element));
      const std::string text = templates::scalar_text(value);
      if (name == "EntryPoints") bundle.entry_points = list;
      else if (name == "External") bundle.external = list;
      else if (name == "MainFields") bundle.main_fields = value.is_array() ? list : std::vector{text};
      else if (name == "Loader") bundle.loader = list;
      else if (name == "Define") bundle.define = list;
      else if (name == "Target") bundle.target = text;
      else if (name == "Format") bundle.format = text;
      else if (name == "Minify") bundle.minify = text == "true";
      else if (name == "Sourcemap") bundle.sourcemap = text != "false";  // linked, external, …: stacks are mapped by all of them
      else if (name == "UseNpmCi") continue;  // dependencies are not installed here
      else if (!further_setting(name, value, bundle.further)) {
        const std::string at = child(child(metadata_at, "BuildProperties"), name);
        if (name == "Bundle" || name == "Platform" || name == "Outdir") {  // sam build sets them itself as well
          result_.warnings.push_back(result_.document.warning(at, fmt::format("esbuild setting '{}' has no effect, as in sam build", std::string_view(name)), "remove it"));
          continue;
        }
        error(at, fmt::format("esbuild setting '{}' is not supported", std::string(name)),
              "remove it; supported are EntryPoints, External, MainFields, Loader, Define, Target, Format, Minify, Sourcemap and esbuild's own that name no file");
        good = false;
      }
    }
    return good;
  }

  // What else of esbuild's command line can stand in BuildProperties, in the three forms that sam build reads. Settings that name files
  // or end in other files than the entry points' are left out.
  static bool further_setting(std::string_view name, const json::value& value, std::vector<std::string>& flags) {
    static const std::set<std::string_view> kNames = {"Alias", "Banner", "Charset", "Conditions", "Drop", "DropLabels", "Footer", "IgnoreAnnotations", "Jsx", "JsxFactory", "JsxFragment", "JsxImportSource",
                                                      "KeepNames", "LegalComments", "LineLimit", "MinifyIdentifiers", "MinifySyntax", "MinifyWhitespace", "OutExtension", "Packages", "PreserveSymlinks", "Pure",
                                                      "ResolveExtensions", "SourceRoot", "SourcesContent", "Supported", "TreeShaking", "TsconfigRaw"};
    if (!kNames.contains(name)) return false;
    std::string flag = "-";
    for (const char c : name) flag += std::isupper(static_cast<unsigned char>(c)) ? fmt::format("-{}", static_cast<char>(std::tolower(static_cast<unsigned char>(c)))) : std::string(1, c);
    if (const auto* list = value.if_array()) for (const auto& one : *list) flags.push_back(fmt::format("{}:{}", flag, templates::scalar_text(one)));
    else if (value.is_bool()) { if (value.as_bool()) flags.push_back(flag); }
    else flags.push_back(fmt::format("{}={}", flag, templates::scalar_text(value)));
    return true;
  }

  fs::path run_esbuild(functions::BundleOptions bundle, const std::string& metadata_at) {
    std::string settings;
    for (const auto* list : {&bundle.entry_points, &bundle.external, &bundle.main_fields, &bundle.loader, &bundle.define, &bundle.further})
      settings += fmt::format("{}|", fmt::join(*list, ","));
    if (keeper_.debugging_) {
      bundle.minify = false;
      bundle.sourcemap = bundle.inline_sourcemap = true;
    }
    settings += fmt::format("{}|{}|{}|{}|{}|{}", bundle.source_dir, bundle.target, bundle.format, bundle.minify, bundle.sourcemap, bundle.keep_folders);
    if (!used_.insert(settings).second) {  // another function of this template has the same code
      const auto same = keeper_.done_.find(settings);
      return same == keeper_.done_.end() ? fs::path{} : same->second.folder;
    }
    const auto known = keeper_.done_.find(settings);
    if (known == keeper_.done_.end() || !known->second.stamps.unchanged() || !fs::exists(known->second.folder)) {
      keeper_.done_.erase(settings);
      auto built = build_anew(bundle, metadata_at);
      if (!built) return {};
      keeper_.done_[settings] = std::move(*built);
    }
    const auto& done = keeper_.done_.at(settings);
    result_.inputs.insert(done.inputs.begin(), done.inputs.end());
    result_.inputs.insert(done.stamps.settings().begin(), done.stamps.settings().end());
    result_.warnings.insert(result_.warnings.end(), done.warnings.begin(), done.warnings.end());
    return done.folder;
  }

  std::optional<TemplateBundler::Done> build_anew(functions::BundleOptions& bundle, const std::string& metadata_at) {
    bundle.out_dir = (keeper_.out_dir_ / "bundle").string();  // as deep as the folder that the files go to
    const auto start = std::chrono::steady_clock::now();
    const functions::BundleResult built = keeper_.esbuild_.bundle(bundle);
    result_.esbuild += std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now() - start);
    if (!built.ok) {
      for (const auto& message : built.errors) {
        auto made = to_diagnostic(message, templates::Severity::kError);
        if (made.file.empty()) made = result_.document.error(metadata_at, "esbuild: " + made.what, "correct BuildProperties");
        result_.errors.push_back(std::move(made));
      }
      for (const auto& entry : bundle.entry_points) result_.inputs.insert(fs::path(bundle.source_dir) / entry);
      result_.inputs.insert(built.inputs.begin(), built.inputs.end());
      for (const auto& message : built.errors)
        if (!message.file.empty()) result_.inputs.insert(message.file);
      return std::nullopt;
    }
    TemplateBundler::Done done{.stamps = SourceStamps::take(built.inputs, bundle.source_dir), .inputs = built.inputs, .warnings = {}, .folder = {}};
    for (const auto& message : built.warnings) done.warnings.push_back(to_diagnostic(message, templates::Severity::kWarning));
    std::map<std::string, std::string_view> files(built.files.begin(), built.files.end());
    std::string all;
    for (const auto& [name, contents] : files) all += hash_line(name, contents);
    done.folder = keeper_.out_dir_ / hash_of(all);
    if (fs::exists(done.folder)) return done;
    const fs::path work = keeper_.out_dir_ / fmt::format("work-{}", ::getpid());
    fs::remove_all(work);
    if (const std::string failed = functions::write_files(built, work.string()); !failed.empty()) throw std::runtime_error(failed);
    fs::rename(work, done.folder);
    return done;
  }

  TemplateBundler& keeper_;
  BundledTemplate result_;
  std::set<std::string> used_;  // the settings of this call
  unsigned layers_ = 0;
};

TemplateBundler::TemplateBundler(fs::path esbuild, fs::path out_dir) : esbuild_(esbuild.string()), out_dir_(std::move(out_dir)) {}

BundledTemplate TemplateBundler::bundle(Document document) {
  fs::create_directories(out_dir_);
  return Bundler(std::move(document), *this).run();
}

}  // namespace parvis::platform
