using System.Buffers;
using System.Collections.Concurrent;
using System.Net;
using MimeKit;
using SmtpServer;
using SmtpServer.ComponentModel;
using SmtpServer.Protocol;
using SmtpServer.Storage;

namespace RealtimeAspire.Tests.Support;

/// <summary>An SMTP server on loopback that keeps what it takes.</summary>
internal sealed class SmtpInbox : IAsyncDisposable
{
    private readonly CancellationTokenSource _stopped = new();
    private Task _running = Task.CompletedTask;

    public int Port { get; private set; }

    /// <summary>What it has taken.</summary>
    public ConcurrentQueue<MimeMessage> Messages { get; } = new();

    /// <summary>What it answers to a message; it keeps only those that it takes.</summary>
    public Func<MimeMessage, SmtpResponse> Answer { get; set; } = static _ => SmtpResponse.Ok;

    public static SmtpInbox Start()
    {
        var inbox = new SmtpInbox { Port = FreePort.Next() };
        var options = new SmtpServerOptionsBuilder().ServerName("localhost").Endpoint(end => end.Endpoint(new IPEndPoint(IPAddress.Loopback, inbox.Port))).Build();
        var services = new ServiceProvider();
        services.Add(new Store(inbox));
        inbox._running = new SmtpServer.SmtpServer(options, services).StartAsync(inbox._stopped.Token);
        return inbox;
    }

    /// <summary>The settings of a node that sends its mail there.</summary>
    public (string, string)[] Settings(params (string, string)[] more) =>
    [
        ("Realtime:Notifications:Email:Host", "127.0.0.1"), ("Realtime:Notifications:Email:Port", $"{Port}"), ("Realtime:Notifications:Email:Security", "None"),
        ("Realtime:Notifications:Email:From", "noreply@example.org"), ("Realtime:Notifications:Email:LinkBase", "https://app.example.org"), .. more,
    ];

    public async ValueTask DisposeAsync()
    {
        await _stopped.CancelAsync();
        try
        {
            await _running;
        }
        catch (OperationCanceledException)
        {
            // It stops by that.
        }

        _stopped.Dispose();
    }

    private sealed class Store(SmtpInbox inbox) : MessageStore
    {
        public override async Task<SmtpResponse> SaveAsync(
            ISessionContext context, IMessageTransaction transaction, ReadOnlySequence<byte> buffer, CancellationToken cancellationToken)
        {
            using var stream = new MemoryStream(buffer.ToArray());
            var message = await MimeMessage.LoadAsync(stream, cancellationToken);
            var answer = inbox.Answer(message);
            if (answer.ReplyCode == SmtpReplyCode.Ok)
                inbox.Messages.Enqueue(message);
            return answer;
        }
    }
}
