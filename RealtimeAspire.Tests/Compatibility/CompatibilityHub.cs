using System.Collections.Concurrent;
using System.Globalization;
using System.Runtime.CompilerServices;
using System.Threading.Channels;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.SignalR;
using Microsoft.AspNetCore.SignalR.Protocol;
using Microsoft.Extensions.Logging;

namespace RealtimeAspire.Tests.Compatibility;

// What is static is no method of a hub.
#pragma warning disable CA1822

/// <summary>What the cases in <c>cases/*.js</c> call.</summary>
internal class CompatibilityHub(Departures departures) : Hub
{
    private Memory Own => (Memory)Context.Items[typeof(Memory)]!;

    public override Task OnConnectedAsync()
    {
        Context.Items[typeof(Memory)] = new Memory();
        return Task.CompletedTask;
    }

    public override Task OnDisconnectedAsync(Exception? exception)
    {
        departures.Of(Context.ConnectionId).TrySetResult(exception is null ? "without an error" : exception.Message);
        return Task.CompletedTask;
    }

    public string Id() => Context.ConnectionId;

    public object? Echo(object? value) => value;

    public string EchoText(string text) => text;

    public int EchoNumber(int number) => number;

    public byte[] EchoBytes(byte[] bytes) => bytes;

    public Dictionary<string, List<int>> EchoLists(Dictionary<string, List<int>> lists) => lists;

    public string Describe(string text, int whole, double real, bool flag, int[] list) =>
        string.Create(CultureInfo.InvariantCulture, $"{text} {whole} {real} {flag} {string.Join('+', list)}");

    public void Nothing()
    {
    }

    public async Task NothingLater() => await Task.Yield();

    public void Fail(string message) => throw new HubException(message);

    public async Task FailLater(string message)
    {
        await Task.Yield();
        throw new HubException(message);
    }

    public void Crash(string message) => throw new InvalidOperationException(message);

    /// <summary>A result that no protocol can write.</summary>
    public Cycle Give(string _) => new();

    public Task<int> Wait(int key) => Own.Waiting(key).Task;

    public void Release(int key) => Own.Waiting(key).SetResult(key);

    public void Collect(int number) => Own.Collected.Enqueue(number);

    public int[] Collected() => [.. Own.Collected];

    public Task Push(string text) => Clients.Caller.SendAsync("Pushed", text);

    public Task PushTo(string connectionId, string text) => Clients.Client(connectionId).SendAsync("Pushed", text);

    public Task Join(string group) => Groups.AddToGroupAsync(Context.ConnectionId, group);

    public Task PushToGroup(string group, string text) => Clients.Group(group).SendAsync("Pushed", text);

    public async Task Burst(int count)
    {
        for (var i = 0; i < count; i++)
        {
            await Clients.Caller.SendAsync("Number", i);
        }
    }

    public Task<string> Ask(string connectionId, string question) =>
        Clients.Client(connectionId).InvokeAsync<string>("Answer", question, Context.ConnectionAborted);

    /// <summary>The answer, or what became of it.</summary>
    public async Task<string> TryAsk(string connectionId, string question)
    {
        try
        {
            return await Ask(connectionId, question);
        }
        catch (Exception exception) when (exception is HubException or IOException or OperationCanceledException)
        {
            return $"{exception.GetType().Name}: {exception.Message}";
        }
    }

    /// <summary>How a connection has left, when it has.</summary>
    public Task<string> Left(string connectionId) => departures.Of(connectionId).Task;

    public void Abort() => Context.Abort();

    /// <summary>As a network does it.</summary>
    public void Drop() => Context.Features.GetRequiredFeature<IConnectionLifetimeFeature>().Abort();

    public async Task Close(string error, bool allowReconnect)
    {
        var connection = (HubConnectionContext)Context.Items[typeof(HubConnectionContext)]!;
        await connection.WriteAsync(new CloseMessage(error, allowReconnect));
        if (allowReconnect)
        {
            connection.Features.GetRequiredFeature<IConnectionLifetimeNotificationFeature>().RequestClose();
        }
        else
        {
            connection.Abort();
        }
    }

    public IAsyncEnumerable<int> Count(int count) => CountFrom(0, count);

    public async IAsyncEnumerable<int> CountFrom(int first, int count)
    {
        for (var i = first; i < first + count; i++)
        {
            await Task.Yield();
            yield return i;
        }
    }

    public ChannelReader<int> CountInChannel(int count) => ToChannel(Count(count));

    public async IAsyncEnumerable<string> Repeat(string[] items)
    {
        foreach (var item in items)
        {
            await Task.Yield();
            yield return item;
        }
    }

    public async IAsyncEnumerable<int> Break(int after, bool withHubException)
    {
        await foreach (var number in Count(after))
        {
            yield return number;
        }

        throw withHubException ? new HubException("The stream broke.") : new InvalidOperationException("a secret");
    }

    public ChannelReader<int> BreakInChannel(int after) => ToChannel(Break(after, withHubException: true));

    public async IAsyncEnumerable<int> Endless([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        try
        {
            yield return 0;
            await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, cancellationToken);
        }
        finally
        {
            Own.Ended(nameof(Endless)).SetResult(cancellationToken.IsCancellationRequested);
        }
    }

    public ChannelReader<int> EndlessInChannel(CancellationToken cancellationToken)
    {
        var (channel, ended) = (Channel.CreateUnbounded<int>(), Own.Ended(nameof(EndlessInChannel)));
        channel.Writer.TryWrite(0);
        cancellationToken.Register(() => ended.SetResult(channel.Writer.TryComplete()));
        return channel.Reader;
    }

    /// <summary>Whether a stream of this connection ended because it was told to, when it has.</summary>
    public Task<bool> Ended(string stream) => Own.Ended(stream).Task;

    public async Task<List<string>> Gather(string prefix, IAsyncEnumerable<int> numbers)
    {
        var gathered = new List<string> { prefix };
        await foreach (var number in numbers)
        {
            gathered.Add(number.ToString(CultureInfo.InvariantCulture));
        }

        return gathered;
    }

    public Task<List<string>> GatherFromChannel(string prefix, ChannelReader<int> numbers) => Gather(prefix, numbers.ReadAllAsync());

    public async Task<string> TryGather(IAsyncEnumerable<int> numbers)
    {
        try
        {
            return string.Join('+', await Gather("", numbers));
        }
        catch (HubException exception)
        {
            return exception.Message;
        }
    }

    public async Task GatherAndTell(ChannelReader<int> numbers)
    {
        var gathered = new List<int>();
        await foreach (var number in numbers.ReadAllAsync())
        {
            gathered.Add(number);
        }

        await Clients.Caller.SendAsync("Gathered", gathered);
    }

    /// <summary>The JavaScript client takes two streams only with something between them.</summary>
    public async Task<int[]> SumBoth(IAsyncEnumerable<int> left, string _, IAsyncEnumerable<int> right) =>
        await Task.WhenAll(left.SumAsync().AsTask(), right.SumAsync().AsTask());

    public async IAsyncEnumerable<int> Double(IAsyncEnumerable<int> numbers)
    {
        await foreach (var number in numbers)
        {
            yield return number * 2;
        }
    }

    public ChannelReader<int> DoubleInChannel(ChannelReader<int> numbers) => ToChannel(Double(numbers.ReadAllAsync()));

    private static ChannelReader<T> ToChannel<T>(IAsyncEnumerable<T> items)
    {
        var channel = Channel.CreateBounded<T>(1);
        _ = FillAsync();
        return channel.Reader;

        async Task FillAsync()
        {
            Exception? failure = null;
            try
            {
                await foreach (var item in items)
                {
                    await channel.Writer.WriteAsync(item);
                }
            }
            catch (Exception exception)
            {
                failure = exception;
            }

            channel.Writer.Complete(failure);
        }
    }

    internal sealed class Cycle
    {
        public Cycle Self => this;
    }

    /// <summary>What a connection leaves for its later calls.</summary>
    private sealed class Memory
    {
        private readonly ConcurrentDictionary<int, TaskCompletionSource<int>> _waiting = new();
        private readonly ConcurrentDictionary<string, TaskCompletionSource<bool>> _ended = new(StringComparer.Ordinal);

        public ConcurrentQueue<int> Collected { get; } = new();

        public TaskCompletionSource<int> Waiting(int key) => _waiting.GetOrAdd(key, static _ => new(TaskCreationOptions.RunContinuationsAsynchronously));

        public TaskCompletionSource<bool> Ended(string stream) => _ended.GetOrAdd(stream, static _ => new(TaskCreationOptions.RunContinuationsAsynchronously));
    }
}

/// <summary>The same with time-outs of seconds, and short messages.</summary>
internal sealed class StrictHub(Departures departures) : CompatibilityHub(departures);

/// <summary>The same without a word of its own.</summary>
internal sealed class SilentHub(Departures departures) : CompatibilityHub(departures);

/// <summary>Takes nobody.</summary>
internal sealed class RefusingHub : Hub
{
    public override Task OnConnectedAsync() => throw new HubException("Nobody is at home. 😀");
}

/// <summary>How connections left a node.</summary>
internal sealed class Departures
{
    private readonly ConcurrentDictionary<string, TaskCompletionSource<string>> _left = new(StringComparer.Ordinal);

    public TaskCompletionSource<string> Of(string connectionId) =>
        _left.GetOrAdd(connectionId, static _ => new(TaskCreationOptions.RunContinuationsAsynchronously));
}

/// <summary>Shows the hub its connections, so that it can say a farewell of its choice.</summary>
internal sealed class CompatibilityLifetime(ILogger<CompatibilityLifetime> logger) : DefaultHubLifetimeManager<CompatibilityHub>(logger)
{
    public override Task OnConnectedAsync(HubConnectionContext connection)
    {
        connection.Items[typeof(HubConnectionContext)] = connection;
        return base.OnConnectedAsync(connection);
    }
}
