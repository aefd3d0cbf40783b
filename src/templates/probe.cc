// What a deployment would refuse in a value, found before any resource is touched: each function is tried, with resources and exports
// that give nothing away. A function whose value hangs on one of them is left for the deployment.
#include "templates/resolution.h"

namespace parvis::templates {

namespace {

class Probe {
 public:
  explicit Probe(const Evaluator& evaluator) : evaluator_(evaluator) {
    lookups_.ref = [](const std::string& name) -> std::optional<json::value> {
      if (name.starts_with("AWS::")) return std::nullopt;
      throw Resolution::Unknown{};
    };
    lookups_.get_att = [](const std::string&, const std::string&) -> std::optional<json::value> { throw Resolution::Unknown{}; };
    lookups_.import = [](const std::string&) -> std::optional<std::string> { throw Resolution::Unknown{}; };
  }

  std::vector<Diagnostic> of(const json::value& value, const std::string& at) {
    visit(value, at);
    return std::move(errors_);
  }

 private:
  // False: something below was refused, and what contains it would only say so again.
  bool visit(const json::value& value, const std::string& at) {
    bool good = true;
    if (value.is_array()) {
      for (std::size_t i = 0; i < value.as_array().size(); ++i) good = visit(value.as_array()[i], child(at, i)) && good;
      return good;
    }
    if (!value.is_object()) return true;
    const json::object& object = value.as_object();
    const bool call = object.size() == 1 && (object.begin()->key() == "Ref" || object.begin()->key().starts_with("Fn::"));
    if (call && object.begin()->key() == "Fn::If") good = chosen_branch(object.begin()->value(), child(at, "Fn::If"));
    else for (const auto& [key, item] : object) good = visit(item, child(at, std::string_view(key))) && good;
    return good && (!call || tried(value, at));
  }

  bool chosen_branch(const json::value& argument, const std::string& at) {
    if (!argument.is_array() || argument.as_array().size() != 3) return true;  // tried() says it
    const auto holds = evaluator_.condition(scalar_text(argument.as_array()[0]));
    const std::size_t branch = holds.value_or(false) ? 1 : 2;
    return !holds || visit(argument.as_array()[branch], child(at, branch));
  }

  bool tried(const json::value& call, const std::string& at) {
    try {
      Resolution(evaluator_, lookups_, true).value(call, at);
      return true;
    } catch (const Resolution::Unknown&) {
      return true;
    } catch (const Resolution::Failed& failed) {
      errors_.push_back(failed.diagnostic);
      return false;
    }
  }

  const Evaluator& evaluator_;
  Lookups lookups_;
  std::vector<Diagnostic> errors_;
};

}  // namespace

std::vector<Diagnostic> Evaluator::probe(const json::value& value, const std::string& pointer) const { return Probe(*this).of(value, pointer); }

}  // namespace parvis::templates
