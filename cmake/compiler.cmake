# Warnings are errors; ccache and mold are used when they are there.
add_compile_options(-Wall -Wextra -Werror -fcolor-diagnostics)
find_program(CCACHE ccache)
if(CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env
      CCACHE_BASEDIR=${CMAKE_SOURCE_DIR} CCACHE_NOHASHDIR=1
      CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime ${CCACHE})
  # Needed for ccache to reuse results of a build with a precompiled header.
  add_compile_options(-Xclang -fno-pch-timestamp)
endif()
find_program(MOLD mold)
if(MOLD)
  add_link_options(-fuse-ld=mold)
else()
  add_link_options(-fuse-ld=lld)
endif()
if(PARVIS_SANITIZE)
  add_compile_options(-fsanitize=${PARVIS_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${PARVIS_SANITIZE})
endif()
if(PARVIS_FUZZ)  # what libFuzzer steers by; without its main in every other program
  add_compile_options(-fsanitize=fuzzer-no-link)
  add_link_options(-fsanitize=fuzzer-no-link)
endif()
