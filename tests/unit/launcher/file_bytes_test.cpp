// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#include "vmm/launcher/file_bytes.hpp"

#include "tests/unit/launcher/loader_machine.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace ringone::launcher {
namespace {

class FileBytes : public testing::Test {
protected:
    FileBytes() { std::filesystem::create_directory(folder_); }
    ~FileBytes() override { std::filesystem::remove_all(folder_); }

    std::string write(const std::string& name, const std::vector<std::uint8_t>& bytes) const {
        std::ofstream(folder_ / name, std::ios::binary)
            .write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
        return (folder_ / name).string();
    }
    static std::string error(const std::string& path, std::uint64_t most = kMiB) {
        return user_error([&] { (void)read_file(path, "initrd", most); });
    }

    std::filesystem::path folder_ =
        std::filesystem::temp_directory_path() / ("ringone_file_bytes." + std::to_string(getpid()));
};

TEST_F(FileBytes, AllBytesOfAFile) {
    for (const std::size_t count : {std::size_t{0}, std::size_t{1}, kMiB, kMiB + 1, 3 * kMiB}) {
        const auto bytes = pattern(count, 3);
        EXPECT_EQ(read_file(write("file", bytes), "kernel", 4 * kMiB), bytes) << count;
    }
}

TEST_F(FileBytes, NotMoreThanFits) {
    const std::string path = write("file", pattern(2 * kMiB + 1, 3));
    EXPECT_TRUE(contains(error(path, 2 * kMiB),
                         "the initrd " + path + " does not fit in the guest's memory of 2 MiB"));
    EXPECT_EQ(error(path, 2 * kMiB + 1), "");
    EXPECT_TRUE(contains(error("/dev/zero"), "does not fit")) << "a file without an end";
}

TEST_F(FileBytes, Missing) {
    const std::string path = (folder_ / "none").string();
    EXPECT_TRUE(contains(error(path), "cannot read the initrd " + path + ": No such file"));
    EXPECT_TRUE(contains(error(""), "cannot read the initrd"));
}

TEST_F(FileBytes, Directory) { EXPECT_TRUE(contains(error(folder_.string()), ": Is a directory")); }

TEST_F(FileBytes, Unreadable) {
    const std::string path = write("secret", pattern(16, 1));
    ASSERT_EQ(chmod(path.c_str(), 0), 0);
    ASSERT_EQ(chmod(folder_.c_str(), 0755), 0);
    constexpr uid_t kNobody = 65534;
    const bool root = geteuid() == 0; // root reads everything
    if (root) {
        ASSERT_EQ(seteuid(kNobody), 0);
    }
    const std::string said = error(path);
    if (root) {
        ASSERT_EQ(seteuid(0), 0);
    }
    EXPECT_TRUE(contains(said, ": Permission denied"));
}

} // namespace
} // namespace ringone::launcher
