#include "services/apigateway/router.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace parvis::apigateway {
namespace {

std::vector<Route> routes_of(std::initializer_list<std::pair<const char*, const char*>> keys) {
  std::vector<Route> out;
  for (const auto& [method, path] : keys) out.push_back({.method = method, .path = path, .resource_id = {}, .integration = {}});
  return out;
}

struct RouteCase {
  const char* name;
  const char *method, *path;
  std::string want;        // route key, "" when none
  std::string parameters;  // name=value,…
};

void expect_match(const Router& router, const RouteCase& row) {
  const auto match = router.match(row.method, row.path);
  ASSERT_EQ(match ? match->route->key() : "", row.want);
  std::string parameters;
  if (match) {
    for (const auto& [name, value] : match->path_parameters) parameters += (parameters.empty() ? "" : ",") + name + "=" + value;
  }
  EXPECT_EQ(parameters, row.parameters);
}

class RestRouter : public testing::TestWithParam<RouteCase> {};
TEST_P(RestRouter, ResourceThenMethod) {
  static const auto routes = routes_of({{"GET", "/"}, {"GET", "/pets"}, {"POST", "/pets"}, {"GET", "/pets/{id}"}, {"GET", "/pets/new"},
                                        {"ANY", "/any"}, {"GET", "/files/{path+}"}, {"GET", "/deep/{a}/x/{b}"}, {"ANY", "/{proxy+}"}});
  static const Router router(Protocol::kRest, routes);
  expect_match(router, GetParam());
}
INSTANTIATE_TEST_SUITE_P(Rows, RestRouter, testing::Values(
    RouteCase{"root", "GET", "/", "GET /", ""}, RouteCase{"fixed", "GET", "/pets", "GET /pets", ""},
    RouteCase{"slash_at_the_end", "GET", "/pets/", "GET /pets", ""},
    RouteCase{"variable", "GET", "/pets/7", "GET /pets/{id}", "id=7"},
    RouteCase{"fixed_before_variable", "GET", "/pets/new", "GET /pets/new", ""},
    RouteCase{"encoded_value_stays", "GET", "/pets/a%2Fb", "GET /pets/{id}", "id=a%2Fb"},
    RouteCase{"resource_decides_before_method", "DELETE", "/pets", "", ""},
    RouteCase{"resource_without_method_hides_proxy", "POST", "/pets/7", "", ""},
    RouteCase{"any", "PATCH", "/any", "ANY /any", ""},
    RouteCase{"greedy", "GET", "/files/a/b/c", "GET /files/{path+}", "path=a/b/c"},
    RouteCase{"back_from_a_dead_end", "GET", "/deep/1/y/2", "ANY /{proxy+}", "proxy=deep/1/y/2"},
    RouteCase{"two_variables", "GET", "/deep/1/x/2", "GET /deep/{a}/x/{b}", "a=1,b=2"},
    RouteCase{"proxy", "PUT", "/nothing", "ANY /{proxy+}", "proxy=nothing"}, RouteCase{"root_lacks_method", "POST", "/", "", ""}),
    [](const auto& info) { return info.param.name; });

class HttpRouter : public testing::TestWithParam<RouteCase> {};
// The rows of the Developer Guide's table of route selection, and our own.
TEST_P(HttpRouter, MostSpecificRouteWithTheMethod) {
  static const auto routes = routes_of({{"GET", "/pets/dog/1"}, {"GET", "/pets/dog/{id}"}, {"GET", "/pets/{proxy+}"}, {"ANY", "/{proxy+}"},
                                        {"POST", "/pets/dog/{other}"}, {"ANY", "$default"}});
  static const Router router(Protocol::kHttp, routes);
  expect_match(router, GetParam());
}
INSTANTIATE_TEST_SUITE_P(Rows, HttpRouter, testing::Values(
    RouteCase{"full_match", "GET", "/pets/dog/1", "GET /pets/dog/1", ""},
    RouteCase{"variable", "GET", "/pets/dog/2", "GET /pets/dog/{id}", "id=2"},
    RouteCase{"greedy", "GET", "/pets/cat/1", "GET /pets/{proxy+}", "proxy=cat/1"},
    RouteCase{"any_greedy", "POST", "/test/5", "ANY /{proxy+}", "proxy=test/5"},
    RouteCase{"method_before_path", "POST", "/pets/dog/1", "POST /pets/dog/{other}", "other=1"},
    RouteCase{"falls_to_any", "PUT", "/pets/dog/1", "ANY /{proxy+}", "proxy=pets/dog/1"},
    RouteCase{"default_takes_the_root", "GET", "/", "$default", ""}),
    [](const auto& info) { return info.param.name; });

TEST(HttpRouterWithoutDefault, FindsNothing) {
  const auto routes = routes_of({{"GET", "/a"}, {"GET", "/b/{x+}"}});
  const Router router(Protocol::kHttp, routes);
  EXPECT_FALSE(router.match("POST", "/a"));
  EXPECT_FALSE(router.match("GET", "/a/"));
  EXPECT_FALSE(router.match("GET", "/b"));
  EXPECT_FALSE(router.match("GET", "/b/"));
  EXPECT_FALSE(router.match("GET", "//"));
  EXPECT_FALSE(router.match("GET", ""));
}

}  // namespace
}  // namespace parvis::apigateway
