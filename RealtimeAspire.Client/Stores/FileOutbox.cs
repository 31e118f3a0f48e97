using System.Globalization;
using System.Text;
using System.Text.Json;
using RealtimeAspire.Protocol;

namespace RealtimeAspire.Client.Stores;

/// <summary>
/// An outbox in a directory. Each client has a file of its own there, which it locks: when the process ends the lock does, and the
/// next one, or another that runs, takes over what waits, so that at any time it has one owner. It outlives the process; whether it
/// outlives the machine is up to the file system.
/// </summary>
/// <remarks>
/// Lines of text, appended: <c>+ number milliseconds publish</c> for what waits, <c>- number</c> for what does not any more.
/// </remarks>
public sealed class FileOutbox : IOutboxStore
{
    private const string Extension = ".outbox";
    private const int Attempts = 5;

    /// <summary>So many lines about what has its outcome; then the file is written anew.</summary>
    private const int MaxDead = 10_000;

    private static readonly TimeSpan LookInterval = TimeSpan.FromSeconds(5);

    private readonly string _directory;
    private readonly TimeProvider _time;
    private readonly Lock _lock = new();

    // Under the lock.
    private readonly Dictionary<OutboxItem, long> _items = new(ReferenceEqualityComparer.Instance);
    private FileStream? _file;
    private ITimer? _looking;
    private long _last;
    private int _dead;

    /// <summary>Opens nothing yet.</summary>
    /// <param name="directory">Where outboxes of one user and application are; made where it is missing.</param>
    /// <param name="time">The clock; the system's by default.</param>
    public FileOutbox(string directory, TimeProvider? time = null) => (_directory, _time) = (Path.GetFullPath(directory), time ?? TimeProvider.System);

    /// <inheritdoc/>
    /// <exception cref="IOException">The directory cannot be written to.</exception>
    public void Open(Action<IReadOnlyList<OutboxItem>> take)
    {
        ArgumentNullException.ThrowIfNull(take);
        Directory.CreateDirectory(_directory);
        lock (_lock)
        {
            _file = Create();
        }

        TakeOver(take);
        lock (_lock)
        {
            _looking = _file is null ? null : _time.CreateTimer(_ => Look(take), null, LookInterval, LookInterval);
        }
    }

    /// <inheritdoc/>
    public void Put(OutboxItem item)
    {
        ArgumentNullException.ThrowIfNull(item);
        lock (_lock)
        {
            Put_NeedsLock(item);
        }
    }

    /// <inheritdoc/>
    public void Delete(OutboxItem item)
    {
        ArgumentNullException.ThrowIfNull(item);
        lock (_lock)
        {
            if (_file is null || !_items.Remove(item, out var number))
            {
                return;
            }

            _dead++;
            if (_items.Count == 0)
            {
                _file.SetLength(0);
                _dead = 0;
            }
            else if (_dead > MaxDead && _dead > _items.Count)
            {
                Rewrite_NeedsLock();
            }
            else
            {
                Write(_file, $"- {number}\n");
            }
        }
    }

    /// <summary>Leaves what waits to the next.</summary>
    public void Dispose()
    {
        lock (_lock)
        {
            _looking?.Dispose();
            if (_file is { } file)
            {
                _file = null;
                if (_items.Count == 0)
                {
                    File.Delete(file.Name);
                }

                file.Dispose();
            }
        }
    }

    /// <summary>Another process may look between its making and its locking.</summary>
    private FileStream Create()
    {
        for (var attempt = 1; ; attempt++)
        {
            try
            {
                return new FileStream(Path.Combine(_directory, $"{Guid.CreateVersion7()}{Extension}"), FileMode.CreateNew, FileAccess.ReadWrite, FileShare.None);
            }
            catch (IOException) when (attempt < Attempts && Directory.Exists(_directory))
            {
            }
        }
    }

    private void Look(Action<IReadOnlyList<OutboxItem>> take)
    {
        try
        {
            TakeOver(take);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            // The directory is gone, or the disk is full: what is there is looked for again.
        }
    }

    private void TakeOver(Action<IReadOnlyList<OutboxItem>> take)
    {
        var taken = new List<OutboxItem>();
        lock (_lock)
        {
            foreach (var path in Directory.EnumerateFiles(_directory, $"*{Extension}").Where(path => _file is { } own && path != own.Name))
            {
                if (TryOpen(path) is not { } left)
                {
                    continue;
                }

                using (left)
                {
                    foreach (var item in Read(left))
                    {
                        Put_NeedsLock(item);
                        taken.Add(item);
                    }

                    File.Delete(path);
                }
            }
        }

        taken.Sort(static (one, other) => one.At.CompareTo(other.At));
        if (taken.Count > 0)
        {
            take(taken);
        }
    }

    /// <summary>Null: it is somebody's.</summary>
    private static FileStream? TryOpen(string path)
    {
        try
        {
            return new FileStream(path, FileMode.Open, FileAccess.ReadWrite, FileShare.None);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    private static OutboxItem[] Read(FileStream file)
    {
        var items = new SortedDictionary<long, OutboxItem>();
        using var lines = new StreamReader(file, Encoding.UTF8, leaveOpen: true);
        while (lines.ReadLine() is { } line)
        {
            var parts = line.Split(' ', 4);
            if (parts is ["+", var number, var at, var json]
                && long.TryParse(number, CultureInfo.InvariantCulture, out var key)
                && long.TryParse(at, CultureInfo.InvariantCulture, out var milliseconds)
                && TryParse(json) is { } request)
            {
                items[key] = new OutboxItem(request, DateTimeOffset.FromUnixTimeMilliseconds(milliseconds));
            }
            else if (parts is ["-", var done] && long.TryParse(done, CultureInfo.InvariantCulture, out key))
            {
                items.Remove(key);
            }
        }

        return [.. items.Values];
    }

    /// <summary>Null: the process ended while it was written; nobody counts on it.</summary>
    private static PublishRequest? TryParse(string json)
    {
        try
        {
            return JsonSerializer.Deserialize(json, RealtimeJson.Default.PublishRequest);
        }
        catch (JsonException)
        {
            return null;
        }
    }

    private void Put_NeedsLock(OutboxItem item)
    {
        if (_file is { } file)
        {
            _items[item] = ++_last;
            Write(file, LineOf(item, _last));
        }
    }

    /// <summary>Into another file: at each moment one of the two has everything.</summary>
    private void Rewrite_NeedsLock()
    {
        var (old, next) = (_file!, Create());
        var lines = new StringBuilder();
        foreach (var (item, number) in _items.OrderBy(static item => item.Value))
        {
            lines.Append(LineOf(item, number));
        }

        Write(next, lines.ToString());
        (_file, _dead) = (next, 0);
        File.Delete(old.Name);
        old.Dispose();
    }

    private static string LineOf(OutboxItem item, long number) =>
        $"+ {number} {item.At.ToUnixTimeMilliseconds()} {JsonSerializer.Serialize(item.Request, RealtimeJson.Default.PublishRequest)}\n";

    private static void Write(FileStream file, string lines)
    {
        file.Seek(0, SeekOrigin.End);
        file.Write(Encoding.UTF8.GetBytes(lines));
        // To the operating system, which outlives the process.
        file.Flush();
    }
}
