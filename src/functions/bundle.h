// functions/bundle.h: bundles TypeScript and JavaScript with esbuild's native binary, which is kept running between builds.
//
// A process start and the first parse of a large dependency cost many times what joining the parsed files again costs, so
// the last settings that were built keep their context inside esbuild: only files that changed are parsed again.
// Source: the behaviour of esbuild 0.28's own JavaScript API ("context" and "rebuild"), which speaks to the same process.
#pragma once

#include <list>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace parvis::functions {

struct BundleOptions {
  std::string source_dir;                 // CodeUri
  std::vector<std::string> entry_points;  // relative to source_dir
  std::string out_dir;                    // where the files will stand: source maps name sources from there. Nothing is written
  std::string target = "es2022";
  std::string format = "cjs";             // or "esm"
  bool minify = false, sourcemap = true;
  bool inline_sourcemap = false;          // within the file, for debuggers that see it elsewhere
  bool keep_folders = true;               // a/b.ts becomes a/b.js; false: b.js, when it is the only entry point
  std::vector<std::string> external, main_fields, loader, define;
  std::vector<std::string> further;       // flags of esbuild's as they are: "--banner:js=…"
};

struct BundleMessage {
  std::string text;
  std::string file;      // absolute; empty: the message has no place
  unsigned line = 0, column = 0;  // from 1
  unsigned length = 0;   // of the marked part of the line
  std::string line_text;
};

struct BundleResult {
  bool ok = false;
  std::vector<BundleMessage> errors, warnings;                 // at most 50 each
  std::vector<std::string> inputs;                             // absolute paths of every source that went in, for watching
  std::vector<std::pair<std::string, std::string>> files;      // path below out_dir, contents
};

// Writes the files of a result below a folder, which is made. The error is a sentence.
std::string write_files(const BundleResult& result, const std::string& folder);

class Esbuild {  // one thread, which must live as long as builds are to come
 public:
  explicit Esbuild(std::string path, unsigned contexts_max = 4);
  ~Esbuild();
  Esbuild(const Esbuild&) = delete;

  // Blocks, at most two minutes. A process that failed is replaced by the next build's.
  BundleResult bundle(const BundleOptions& options);
  // Ends the process and gives its memory back.
  void rest();

 private:
  class Service;
  struct Context {
    std::string settings;
    unsigned key = 0;
  };
  BundleResult build(const BundleOptions& options);

  std::string path_;
  unsigned contexts_max_, next_key_ = 0;
  std::unique_ptr<Service> service_;
  std::list<Context> contexts_;  // the last used first
};

}  // namespace parvis::functions
