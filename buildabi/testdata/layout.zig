//! Prints how this Zig lays out the messages of the interface: one JSON object a line, on standard
//! error.
const std = @import("std");
const abi = std.Build.abi;

fn show(comptime name: []const u8, comptime T: type) void {
    std.debug.print("{{\"type\":\"{s}\",\"size\":{d},\"fields\":[", .{ name, @sizeOf(T) });
    inline for (@typeInfo(T).@"struct".fields, 0..) |field, i| {
        const comma = if (i == 0) "" else ",";
        const offset = @offsetOf(T, field.name);
        std.debug.print("{s}{{\"name\":\"{s}\",\"offset\":{d}}}", .{ comma, field.name, offset });
    }
    std.debug.print("]}}\n", .{});
}

pub fn main() void {
    show("Hello", abi.Hello);
    show("StatusUpdate", abi.StatusUpdate);
    show("StepUpdate", abi.StepUpdate);
    show("Rebuild", abi.Rebuild);
    show("fuzz.SourceIndexHeader", abi.fuzz.SourceIndexHeader);
    show("fuzz.CoverageUpdateHeader", abi.fuzz.CoverageUpdateHeader);
    show("fuzz.EntryPointHeader", abi.fuzz.EntryPointHeader);
    show("fuzz.SeenPcsHeader", abi.fuzz.SeenPcsHeader);
    show("debug.Coverage.File", std.debug.Coverage.File);
    show("debug.Coverage.SourceLocation", std.debug.Coverage.SourceLocation);
    show("time_report.GenericResult", abi.time_report.GenericResult);
    show("time_report.CompileResult", abi.time_report.CompileResult);
    if (@hasDecl(abi.time_report, "RunTestResult")) {
        show("time_report.RunTestResult", abi.time_report.RunTestResult);
    }
}
