using System.Collections.Concurrent;
using System.Net.NetworkInformation;
using RealtimeAspire.Client.Transports;
using RealtimeAspire.Protocol;

namespace RealtimeAspire.Client;

/// <summary>Hears what becomes of the connection.</summary>
internal interface IServerConnectionListener : IServerListener
{
    void Opened(ILink link);

    void Lost();

    void Changed(ConnectionState state);

    /// <summary>For good.</summary>
    void Ended(RealtimeException reason);
}

/// <summary>Keeps one link to the server: opens it, opens it again, and says what is the matter meanwhile.</summary>
internal sealed class ServerConnection : ILinkListener, IAsyncDisposable
{
    private static readonly TimeSpan LongestTimer = TimeSpan.FromDays(40);

    private readonly RealtimeClientOptions _options;
    private readonly IServerConnectionListener _listener;
    private readonly TimeProvider _time;
    private readonly LinkOpener _opener;
    private readonly Lock _lock = new();

    // Under the lock.
    private CancellationTokenSource? _stop;
    private Task _running = Task.CompletedTask;
    private CancellationTokenSource? _pause;

    private volatile ConnectionState _state = new(ConnectionStatus.Disconnected);
    private volatile ILink? _link;
    // What came before the link's opening was known.
    private readonly ConcurrentQueue<Control> _early = new();

    private TimeSpan? _askedToWait;

    // What the server wants should it vanish.
    private TimeSpan? _advisedToWait;
    private long _heardAt;

    private volatile string? _token;

    // One that got through, to take the place of the link that there is.
    private ILink? _better;

    public ServerConnection(Uri server, RealtimeClientOptions options, IServerConnectionListener listener)
    {
        (_options, _listener, _time) = (options, listener, options.Time);
        _opener = new LinkOpener(server, options, this);
    }

    public ConnectionState State => _state;

    public void Start()
    {
        lock (_lock)
        {
            if (_stop is null && _state.Status is not ConnectionStatus.Closed)
            {
                var (stop, before) = (new CancellationTokenSource(), _running);
                _stop = stop;
                _running = Task.Run(() => RunAsync(before, stop.Token));
            }
        }
    }

    /// <summary>For now: it may be started again.</summary>
    public void Stop() => End(new ConnectionState(ConnectionStatus.Disconnected));

    /// <summary>For good.</summary>
    public void Close(RealtimeException reason)
    {
        if (End(new ConnectionState(ConnectionStatus.Closed, reason)))
        {
            _listener.Ended(reason);
        }
    }

    /// <summary>The next attempt begins now; a link that has been silent is asked whether it lives.</summary>
    public void Wake()
    {
        _opener.Wake();
        lock (_lock)
        {
            _pause?.Cancel();
        }

        if (_link is { } link && _time.GetElapsedTime(Volatile.Read(ref _heardAt)) > _options.Heartbeat / 2)
        {
            _ = ProbeAsync(link);
        }
    }

    public async ValueTask DisposeAsync()
    {
        Close(new RealtimeException(ClientErrors.Closed));
        await _running;
    }

    void IServerListener.Events(TopicEvent[] events)
    {
        Volatile.Write(ref _heardAt, _time.GetTimestamp());
        _listener.Events(events);
    }

    void IServerListener.Control(Control control)
    {
        Volatile.Write(ref _heardAt, _time.GetTimestamp());
        if (_link is not { } link)
        {
            _early.Enqueue(control);
        }
        else if (control.Type == Control.Draining)
        {
            _askedToWait = TimeSpan.FromMilliseconds(control.RetryAfterMs ?? 0);
            _ = link.DisposeAsync().AsTask();
        }
        else if (control.Type == Control.Retry)
        {
            _advisedToWait = TimeSpan.FromMilliseconds(control.RetryAfterMs ?? 0);
        }
        else if (control.Type == Control.Expiring)
        {
            _ = RefreshAsync(link);
        }
        else
        {
            _listener.Control(control);
        }
    }

    void IServerListener.Request(IncomingCall call)
    {
        Volatile.Write(ref _heardAt, _time.GetTimestamp());
        _listener.Request(call);
    }

    void ILinkListener.Heard() => Volatile.Write(ref _heardAt, _time.GetTimestamp());

    /// <summary>Whether another token may do.</summary>
    public static bool IsOfToken(RealtimeException exception) =>
        exception.Error == ErrorCode.TokenExpired || exception.Error == ErrorCode.TokenInvalid || exception.Error == ErrorCode.TokenRequired
        || exception.Error == ErrorCode.TokenRevoked;

    /// <summary>False: it was closed before.</summary>
    private bool End(ConnectionState state)
    {
        lock (_lock)
        {
            if (_state.Status is ConnectionStatus.Closed)
            {
                return false;
            }

            _stop?.Cancel();
            _stop = null;
            _state = state;
        }

        _listener.Changed(state);
        return true;
    }

    private async Task RunAsync(Task before, CancellationToken stopped)
    {
        await before;
        NetworkChange.NetworkAddressChanged += WakeOnChange;
        NetworkChange.NetworkAvailabilityChanged += WakeOnChange;
        try
        {
            await RunAsync(stopped);
        }
        finally
        {
            NetworkChange.NetworkAddressChanged -= WakeOnChange;
            NetworkChange.NetworkAvailabilityChanged -= WakeOnChange;
        }

        void WakeOnChange(object? sender, EventArgs change) => Wake();
    }

    private async Task RunAsync(CancellationToken stopped)
    {
        var lostAt = _time.GetTimestamp();
        var (failed, renew) = (0, false);
        Enter(new ConnectionState(ConnectionStatus.Connecting), stopped);
        while (!stopped.IsCancellationRequested)
        {
            RealtimeException reason;
            try
            {
                await using var link = Interlocked.Exchange(ref _better, null) ?? await OpenAsync(renew, stopped);
                Volatile.Write(ref _heardAt, _time.GetTimestamp());
                (failed, renew, _link, _askedToWait) = (0, false, link, null);
                Enter(new ConnectionState(ConnectionStatus.Connected), stopped);
                _listener.Opened(link);
                while (_early.TryDequeue(out var control))
                {
                    ((IServerListener)this).Control(control);
                }

                _ = WatchAsync(link);
                _ = KeepTokenAsync(link);
                _ = UpgradeAsync(link, stopped);
                var said = await link.Closed.WaitAsync(stopped);
                // What breaks off without a word may be a node that has died, and all its clients come back.
                _askedToWait ??= said is null ? _advisedToWait : null;
                reason = said ?? new RealtimeException(ErrorCode.Disconnected);
                lostAt = _time.GetTimestamp();
            }
            catch (OperationCanceledException) when (stopped.IsCancellationRequested)
            {
                break;
            }
            catch (RealtimeException exception)
            {
                reason = exception;
            }
            // Whatever the token's provider throws: it may do better the next time.
#pragma warning disable CA1031
            catch (Exception exception)
#pragma warning restore CA1031
            {
                reason = new RealtimeException(ErrorCode.Disconnected, ErrorCode.Disconnected.Sentence, exception);
            }
            finally
            {
                Lose();
            }

            if (_better is not null)
            {
                continue;
            }

            var isToken = IsOfToken(reason);
            // What was too long is told to who has published it; everything else goes on.
            if (isToken ? renew : !reason.Error.Retryable && reason.Error != ErrorCode.PayloadTooLarge)
            {
                Close(reason);
                break;
            }

            if (isToken)
            {
                // One attempt with a new token, at once; a new one that is refused too is the end.
                renew = true;
            }
            else
            {
                var wait = _askedToWait ?? reason.RetryAfter + _options.Reconnect.DelayAfter(0) ?? _options.Reconnect.DelayAfter(failed++);
                _askedToWait = null;
                Enter(new ConnectionState(StatusWhileAway(lostAt), reason, _time.GetUtcNow() + wait), stopped);
                await PauseAsync(wait, stopped);
            }

            Enter(new ConnectionState(StatusWhileAway(lostAt), reason), stopped);
        }

        if (Interlocked.Exchange(ref _better, null) is { } unused)
        {
            await unused.DisposeAsync();
        }
    }

    private async Task<ILink> OpenAsync(bool renew, CancellationToken stopped)
    {
        _advisedToWait = null;
        _early.Clear();
        _token = _options.Token is { } provider ? await provider(renew) : null;
        return await _opener.OpenAsync(_token, stopped);
    }

    /// <summary>Where the network has come to let a WebSocket through, it takes the link's place.</summary>
    private async Task UpgradeAsync(ILink link, CancellationToken stopped)
    {
        if (await _opener.OpenBetterAsync(link, stopped) is not { } better)
        {
            return;
        }

        if (_link == link)
        {
            (_better, _token) = better;
            await link.DisposeAsync();
        }
        else
        {
            await better.Link.DisposeAsync();
        }
    }

    /// <summary>Replaces the token before its end, where that is known.</summary>
    private async Task KeepTokenAsync(ILink link)
    {
        while (TokenExpiry.RefreshTime(_token, _time.GetUtcNow()) is { } due)
        {
            for (var rest = due - _time.GetUtcNow(); rest > TimeSpan.Zero; rest = due - _time.GetUtcNow())
            {
                using var over = new CancellationTokenSource(rest < LongestTimer ? rest : LongestTimer, _time);
                await ((Task)link.Closed).WaitAsync(over.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                if (_link != link || link.Closed.IsCompleted)
                {
                    return;
                }
            }

            // A provider that has no other yet is asked again when the server says that it is time.
            var old = _token;
            if (!await RefreshAsync(link) || _token == old)
            {
                return;
            }
        }
    }

    /// <summary>What fails here the server tells when the token has ended: the next link has another one.</summary>
    private async Task<bool> RefreshAsync(ILink link)
    {
        // Whatever the token's provider throws, too.
#pragma warning disable CA1031
        try
        {
            if (_options.Token is not { } provider || await provider(false) is not { } token || _link != link)
            {
                return false;
            }

            await link.RefreshAsync(token, CancellationToken.None).WaitAsync(_options.AnswerTimeout, _time);
            _token = token;
            return true;
        }
        catch (Exception)
        {
            return false;
        }
#pragma warning restore CA1031
    }

    /// <summary>Asks a link that has been silent for a heartbeat whether it lives: the server's own pings are not told here.</summary>
    private async Task WatchAsync(ILink link)
    {
        // One that is closed is asked no more, however long the others take to notice.
        while (_link == link && !link.Closed.IsCompleted)
        {
            var rest = _options.Heartbeat - _time.GetElapsedTime(Volatile.Read(ref _heardAt));
            if (rest <= TimeSpan.Zero)
            {
                if (!await ProbeAsync(link))
                {
                    return;
                }
            }
            else
            {
                using var heard = new CancellationTokenSource(rest, _time);
                await ((Task)link.Closed).WaitAsync(heard.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
    }

    /// <summary>False: it does not live, and has been dropped.</summary>
    private async Task<bool> ProbeAsync(ILink link)
    {
        try
        {
            await link.ProbeAsync(CancellationToken.None).WaitAsync(_options.Silence - _options.Heartbeat, _time);
            Volatile.Write(ref _heardAt, _time.GetTimestamp());
            return true;
        }
        catch (Exception exception) when (exception is RealtimeException or TimeoutException)
        {
            // It is the network here that has gone.
            _advisedToWait = _link == link ? null : _advisedToWait;
            await link.DisposeAsync();
            return false;
        }
    }

    private void Lose()
    {
        if (_link is not null)
        {
            _link = null;
            _listener.Lost();
        }
    }

    private ConnectionStatus StatusWhileAway(long since) =>
        _time.GetElapsedTime(since) >= _options.SuspendAfter ? ConnectionStatus.Suspended : ConnectionStatus.Reconnecting;

    private void Enter(ConnectionState state, CancellationToken stopped)
    {
        lock (_lock)
        {
            if (stopped.IsCancellationRequested)
            {
                return;
            }

            _state = state;
        }

        _listener.Changed(state);
    }

    private async Task PauseAsync(TimeSpan wait, CancellationToken stopped)
    {
        using var pause = CancellationTokenSource.CreateLinkedTokenSource(stopped);
        lock (_lock)
        {
            _pause = pause;
        }

        await Task.Delay(wait, _time, pause.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        lock (_lock)
        {
            _pause = null;
        }
    }
}
