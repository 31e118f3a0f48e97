using System.Text.Json;
using RealtimeAspire.Protocol;

namespace RealtimeAspire.Client.Stores;

/// <summary>
/// Positions in a file, of one process at a time. Written a moment after they change, so that events that were dealt with in the last
/// tenth of a second before the process was killed come again.
/// </summary>
public sealed class FilePositionStore : IPositionStore, IAsyncDisposable
{
    private static readonly TimeSpan Moment = TimeSpan.FromMilliseconds(100);

    private readonly string _path;
    private readonly ITimer _timer;
    private readonly Lock _lock = new();

    // Under the lock.
    private readonly Dictionary<string, string> _positions;
    private bool _isChanged;

    /// <summary>Reads the file, where there is one.</summary>
    /// <param name="path">The file; its directory is made where it is missing.</param>
    /// <param name="time">The clock; the system's by default.</param>
    /// <exception cref="JsonException">It is no file of positions.</exception>
    public FilePositionStore(string path, TimeProvider? time = null)
    {
        _path = Path.GetFullPath(path);
        Directory.CreateDirectory(Path.GetDirectoryName(_path)!);
        _positions = File.Exists(_path) ? JsonSerializer.Deserialize(File.ReadAllBytes(_path), RealtimeJson.Default.DictionaryStringString) ?? [] : [];
        _timer = (time ?? TimeProvider.System).CreateTimer(_ => TryWrite(), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    /// <inheritdoc/>
    public ValueTask<Position?> LoadAsync(string topic, CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            return new(_positions.TryGetValue(topic, out var text) && Position.TryParse(text, out var position) ? position : null);
        }
    }

    /// <inheritdoc/>
    public ValueTask SaveAsync(string topic, Position position)
    {
        lock (_lock)
        {
            _positions[topic] = position.ToString();
            Change_NeedsLock();
        }

        return ValueTask.CompletedTask;
    }

    /// <summary>Writes what has changed.</summary>
    public async ValueTask DisposeAsync()
    {
        await _timer.DisposeAsync();
        Write();
    }

    private void Change_NeedsLock()
    {
        if (!_isChanged)
        {
            _isChanged = true;
            _timer.Change(Moment, Timeout.InfiniteTimeSpan);
        }
    }

    private void TryWrite()
    {
        try
        {
            Write();
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            // The disk may be full. Tried again; disposing says so.
            _timer.Change(Moment, Timeout.InfiniteTimeSpan);
        }
    }

    /// <summary>At each moment the file is whole: the old one or the new one.</summary>
    private void Write()
    {
        lock (_lock)
        {
            if (_isChanged)
            {
                var next = _path + ".next";
                File.WriteAllBytes(next, JsonSerializer.SerializeToUtf8Bytes(_positions, RealtimeJson.Default.DictionaryStringString));
                File.Move(next, _path, overwrite: true);
                _isChanged = false;
            }
        }
    }
}
