using System.Globalization;

namespace RealtimeAspire.Benchmarks.Load;

/// <summary>What the operating system has accounted to processes.</summary>
internal readonly struct ProcessUse(IReadOnlyList<int> processes)
{
    // USER_HZ, which is 100 on every Linux that .NET runs on.
    private const double TickMicroseconds = 10_000;

    /// <summary>User and system time of all threads so far, in microseconds.</summary>
    public double CpuMicroseconds() => processes.Sum(Cpu);

    /// <summary>Resident memory in bytes.</summary>
    public double ResidentBytes() => processes.Sum(Resident);

    private static double Cpu(int process)
    {
        // The name, in brackets, may hold blanks; utime and stime are the 12th and 13th field behind it.
        var stat = File.ReadAllText($"/proc/{process}/stat");
        var fields = stat[(stat.LastIndexOf(')') + 2)..].Split(' ');
        return (long.Parse(fields[11], CultureInfo.InvariantCulture) + long.Parse(fields[12], CultureInfo.InvariantCulture)) * TickMicroseconds;
    }

    private static double Resident(int process)
    {
        var line = File.ReadLines($"/proc/{process}/status").First(line => line.StartsWith("VmRSS:", StringComparison.Ordinal));
        return long.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture) * 1024.0;
    }
}
