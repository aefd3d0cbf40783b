#include "platform/port_holder.h"

#include <unistd.h>

#include <fstream>

#include <boost/asio/ip/tcp.hpp>
#include <gmock/gmock.h>

namespace parvis::platform {
namespace {

TEST(PortHolder, NamesTheListeningProcess) {
  boost::asio::io_context context;
  boost::asio::ip::tcp::acceptor acceptor(context, {boost::asio::ip::address_v4::loopback(), 0});
  const std::string holder = port_holder(acceptor.local_endpoint().port());
  EXPECT_THAT(holder, testing::StartsWith("process " + std::to_string(::getpid()) + " ("));
  EXPECT_THAT(holder, testing::HasSubstr("platform_test"));
}

TEST(PortHolder, KnowsAFreePortAndAForeignProcess) {
  const std::filesystem::path proc = std::filesystem::path(testing::TempDir()) / "port_holder_proc";
  std::filesystem::create_directories(proc / "net");
  std::filesystem::create_directories(proc / "12/fd");
  std::ofstream(proc / "net/tcp") << "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
                                     "   0: 0100007F:11D6 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 4242 1 0\n"
                                     "   1: 0100007F:11D7 0100007F:8888 01 00000000:00000000 00:00000000 00000000  1000        0 4243 1 0\n";
  EXPECT_EQ(port_holder(0x11D6, proc), "a process of another user");
  EXPECT_EQ(port_holder(0x11D7, proc), "");  // a connection, nobody listens
  std::filesystem::create_symlink("socket:[4242]", proc / "12/fd/3");
  std::ofstream(proc / "12/cmdline") << std::string("node\0server.js\0", 15);
  EXPECT_EQ(port_holder(0x11D6, proc), "process 12 (node server.js)");
  std::filesystem::remove_all(proc);
}

}  // namespace
}  // namespace parvis::platform
