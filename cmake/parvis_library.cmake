# parvis_library(NAME core SOURCES a.cc b.cc DEPS parvis_x fmt::fmt): the library parvis_<name> of one folder.
# It links only what it names, so an include against the plan's direction does not build.
function(parvis_library)
  cmake_parse_arguments(A "" "NAME" "SOURCES;DEPS" ${ARGN})
  add_library(parvis_${A_NAME} STATIC ${A_SOURCES})
  target_include_directories(parvis_${A_NAME} PUBLIC ${CMAKE_SOURCE_DIR}/src)
  target_link_libraries(parvis_${A_NAME} PUBLIC ${A_DEPS})
  parvis_precompile(parvis_${A_NAME})
endfunction()

# parvis_test(NAME core_test SOURCES a_test.cc DEPS parvis_core [LABELS tsan]): one GoogleTest program, one ctest entry.
function(parvis_test)
  cmake_parse_arguments(A "" "NAME" "SOURCES;DEPS;LABELS" ${ARGN})
  add_executable(${A_NAME} EXCLUDE_FROM_ALL ${A_SOURCES})
  target_link_libraries(${A_NAME} PRIVATE ${A_DEPS} GTest::gmock GTest::gtest_main)
  parvis_precompile(${A_NAME})
  add_test(NAME ${A_NAME} COMMAND ${A_NAME})
  set_tests_properties(${A_NAME} PROPERTIES LABELS "unit;${A_LABELS}" TIMEOUT 300
    ENVIRONMENT "TSAN_OPTIONS=suppressions=${CMAKE_SOURCE_DIR}/tests/tsan.supp")
  set_property(GLOBAL APPEND PROPERTY PARVIS_TESTS ${A_NAME})
  list(FIND A_LABELS tsan HAS_TSAN)
  if(NOT HAS_TSAN EQUAL -1)
    set_property(GLOBAL APPEND PROPERTY PARVIS_TSAN_TESTS ${A_NAME})
  endif()
endfunction()

# parvis_bench(NAME aws_bench SOURCES a_bench.cc DEPS parvis_x): one Google Benchmark program; ctest runs it at its smallest
# sizes (label bench), so that none rots. Each benchmark has 1 as the first of its sizes.
function(parvis_bench)
  cmake_parse_arguments(A "" "NAME" "SOURCES;DEPS" ${ARGN})
  add_executable(${A_NAME} EXCLUDE_FROM_ALL ${A_SOURCES})
  target_link_libraries(${A_NAME} PRIVATE ${A_DEPS} benchmark::benchmark_main)
  parvis_precompile(${A_NAME})
  add_test(NAME ${A_NAME} COMMAND ${A_NAME} --benchmark_min_time=0.001 "--benchmark_filter=:1$")
  set_tests_properties(${A_NAME} PROPERTIES LABELS bench TIMEOUT 60)
  set_property(GLOBAL APPEND PROPERTY PARVIS_BENCHES ${A_NAME})
endfunction()

# The precompiled header is built once, in parvis_pch, and reused.
function(parvis_precompile target)
  if(TARGET parvis_pch)
    target_precompile_headers(${target} REUSE_FROM parvis_pch)
    target_link_libraries(${target} PUBLIC parvis_common)
  endif()
endfunction()
