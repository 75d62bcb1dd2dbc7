// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#include "devices/acpi/aml.hpp"
#include "devices/platform/pc_layout.hpp"
#include "tests/unit/devices/fakes.hpp"

#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <numeric>
#include <sstream>

namespace ringone::devices {
namespace {

/// The tables as a guest finds them in memory, by the addresses they give.
struct Acpi : PlatformTest {
    std::vector<std::uint8_t> image;
    std::uint32_t base = 0;

    void SetUp() override {
        pc.build_acpi_tables([&](std::uint32_t address, std::span<const std::uint8_t> bytes) {
            base = address;
            image.assign(bytes.begin(), bytes.end());
        });
    }
    std::uint32_t number(std::uint32_t address, unsigned bytes) const {
        std::uint32_t value = 0;
        for (unsigned i = 0; i < bytes; ++i) value |= std::uint32_t{image.at(address - base + i)} << (8U * i);
        return value;
    }
    std::string text(std::uint32_t address, unsigned bytes) const {
        std::string result;
        for (unsigned i = 0; i < bytes; ++i) result.push_back(static_cast<char>(image.at(address - base + i)));
        return result;
    }
    std::vector<std::uint8_t> table(std::uint32_t address) const {
        const auto first = image.begin() + (address - base);
        return {first, first + number(address + 4, 4)};
    }
    static unsigned sum(const std::vector<std::uint8_t>& bytes) { return std::accumulate(bytes.begin(), bytes.end(), 0U) & 0xFFU; }
    std::uint32_t rsdt() const { return number(base + 16, 4); }
    std::uint32_t fadt() const { return number(rsdt() + 36, 4); }
    std::uint32_t dsdt() const { return number(fadt() + 40, 4); }
    std::uint32_t facs() const { return number(fadt() + 36, 4); }
};

TEST_F(Acpi, ThePointerIsWhereLinuxLooks) {
    EXPECT_GE(base, 0xE'0000U);
    EXPECT_EQ(base % 16, 0U);
    EXPECT_LE(base + image.size(), 0x10'0000U);
    EXPECT_EQ(text(base, 8), "RSD PTR ");
    EXPECT_EQ(sum({image.begin(), image.begin() + 20}), 0U);
}

TEST_F(Acpi, TablesHaveSignatureLengthAndChecksum) {
    EXPECT_EQ(text(rsdt(), 4), "RSDT");
    EXPECT_EQ(number(rsdt() + 4, 4), 40U) << "one entry: the FADT";
    EXPECT_EQ(text(fadt(), 4), "FACP");
    EXPECT_EQ(text(dsdt(), 4), "DSDT");
    EXPECT_EQ(text(facs(), 4), "FACS");
    EXPECT_EQ(facs() % 64, 0U);
    for (const std::uint32_t address : {rsdt(), fadt(), dsdt()}) { EXPECT_EQ(sum(table(address)), 0U) << text(address, 4); }
}

TEST_F(Acpi, TheFadtDescribesTheHardware) {
    EXPECT_EQ(number(fadt() + 46, 2), pc::kSciIrq);
    EXPECT_EQ(number(fadt() + 48, 4), 0U) << "no SMI command: always in ACPI mode, as PM1 control says";
    const auto event = static_cast<std::uint16_t>(number(fadt() + 56, 4));
    const auto control = static_cast<std::uint16_t>(number(fadt() + 64, 4));
    const auto timer = static_cast<std::uint16_t>(number(fadt() + 76, 4));
    EXPECT_EQ(pc.io_read(control, 2) & 1U, 1U);
    pc.io_write(static_cast<std::uint16_t>(event + number(fadt() + 88, 1) / 2), 2, PowerManagement::kPowerButton);
    EXPECT_EQ(pc.io_read(event, 4) >> 16U, PowerManagement::kPowerButton);
    const std::uint32_t before = pc.io_read(timer, 4);
    clock.ns += kSecond;
    EXPECT_EQ(pc.io_read(timer, 4) - before, 3'579'545U);
    EXPECT_EQ(number(fadt() + 112, 4) & (1U << 8U), 0U) << "TMR_VAL_EXT clear: a 24-bit timer";
    EXPECT_EQ(number(fadt() + 108, 1), 0x32U) << "the century's place in CMOS";
}

std::string run(const std::string& command, int& status) {
    std::string output;
    std::FILE* pipe = ::popen((command + " 2>&1").c_str(), "r");
    if (pipe == nullptr) {
        status = -1;
        return output;
    }
    std::array<char, 4096> buffer{};
    while (std::size_t n = std::fread(buffer.data(), 1, buffer.size(), pipe)) output.append(buffer.data(), n);
    status = ::pclose(pipe);
    return output;
}

/// A folder of its own for each run; gone afterwards.
struct Folder {
    std::filesystem::path path;
    Folder() {
        std::string name = (std::filesystem::temp_directory_path() / "ringone-acpi-XXXXXX").string();
        const char* made = ::mkdtemp(name.data());
        path = made != nullptr ? made : "";
    }
    ~Folder() { std::filesystem::remove_all(path); }
};

TEST_F(Acpi, IaslDisassemblesAndCompilesThem) {
    const Folder folder;
    ASSERT_FALSE(folder.path.empty());
    for (const auto& [name, address] : {std::pair{"facp", fadt()}, {"dsdt", dsdt()}, {"facs", facs()}, {"rsdt", rsdt()}}) {
        const std::filesystem::path aml = folder.path / (std::string(name) + ".aml");
        const std::filesystem::path dsl = folder.path / (std::string(name) + ".dsl");
        const std::vector<std::uint8_t> bytes = table(address);
        std::ofstream(aml, std::ios::binary)
            .write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
        int status = 0;
        std::string output = run("iasl -d " + aml.string(), status);
        ASSERT_EQ(status, 0) << output;
        EXPECT_EQ(output.find("Error"), std::string::npos) << output;
        std::stringstream listing;
        listing << std::ifstream(dsl).rdbuf();
        EXPECT_EQ(listing.str().find("Invalid"), std::string::npos) << listing.str();
        if (std::string_view(name) == "dsdt") {
            EXPECT_NE(listing.str().find("Name (\\_S5, Package"), std::string::npos) << listing.str();
            EXPECT_NE(listing.str().find("PNP0A03"), std::string::npos);
            output = run("iasl -ve -p " + (folder.path / "again").string() + " " + dsl.string(), status);
            EXPECT_EQ(status, 0) << output;
            EXPECT_NE(output.find(" 0 Errors"), std::string::npos) << output;
        }
    }
}

TEST_F(Acpi, TheInterpreterFindsSoftOff) {
    // acpiexec runs Intel's reference interpreter over the table, as Linux does.
    const Folder folder;
    const std::filesystem::path aml = folder.path / "dsdt.aml";
    const std::vector<std::uint8_t> bytes = table(dsdt());
    std::ofstream(aml, std::ios::binary)
        .write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
    int status = 0;
    const std::string output = run("acpiexec -b 'evaluate \\_S5' " + aml.string(), status);
    EXPECT_EQ(status, 0);
    EXPECT_EQ(output.find("AE_"), std::string::npos) << output;
    EXPECT_NE(output.find("Contains 4 Elements"), std::string::npos) << output;
    EXPECT_NE(output.find("0000000000000005"), std::string::npos) << output;
}

TEST(Aml, PackageLengths) {
    // ACPI 1.0b, 16.2.4: one byte up to 63, then 4 + 8, 4 + 16 bits; the length counts its own bytes.
    for (const auto& [content, head] : {std::pair<std::size_t, std::vector<std::uint8_t>>{10, {0x11, 0x0D, 0x0A, 0x0A}},
                                        {60, {0x11, 0x3F, 0x0A, 0x3C}},
                                        {61, {0x11, 0x41, 0x04, 0x0A, 0x3D}},
                                        {0x200, {0x11, 0x45, 0x20, 0x0B, 0x00, 0x02}}}) {
        const aml::Bytes built = aml::buffer(aml::Bytes(content));
        EXPECT_EQ(built.size(), head.size() + content);
        EXPECT_TRUE(std::equal(head.begin(), head.end(), built.begin())) << content;
    }
}

TEST(Aml, IntegersTakeTheShortestForm) {
    EXPECT_EQ(aml::integer(0), (aml::Bytes{0x00}));
    EXPECT_EQ(aml::integer(1), (aml::Bytes{0x01}));
    EXPECT_EQ(aml::integer(5), (aml::Bytes{0x0A, 5}));
    EXPECT_EQ(aml::integer(0x100), (aml::Bytes{0x0B, 0x00, 0x01}));
    EXPECT_EQ(aml::integer(0x1'0000), (aml::Bytes{0x0C, 0, 0, 1, 0}));
    EXPECT_EQ(aml::eisa_id("PNP0A03"), (aml::Bytes{0x0C, 0x41, 0xD0, 0x0A, 0x03}));
}

} // namespace
} // namespace ringone::devices
