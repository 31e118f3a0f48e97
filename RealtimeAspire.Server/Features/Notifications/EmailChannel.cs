using MailKit;
using MailKit.Net.Smtp;
using MailKit.Security;
using Microsoft.Extensions.Options;
using MimeKit;

namespace RealtimeAspire.Server.Features.Notifications;

/// <summary>E-mail by SMTP: one message for one notification.</summary>
internal sealed class EmailChannel(IOptions<NotificationOptions> options, TimeProvider time) : IDeliveryChannel
{
    private readonly EmailOptions _options = options.Value.Email;

    public Channel Channel => Channel.Email;

    public string? Missing => _options.IsOn ? null : $"{NotificationOptions.Section}:Email:Host is not set.";

    public async Task<SendOutcome> SendAsync(Delivery delivery, CancellationToken cancellationToken)
    {
        if (!MailboxAddress.TryParse(delivery.Email, out var to))
        {
            return new SendOutcome.Rejected("it is no e-mail address");
        }

        using var message = ToMessage(delivery, to);
        using var client = new SmtpClient { Timeout = Timeout.Infinite };
        try
        {
            await client.ConnectAsync(_options.Host!, _options.Port, SecurityOf(_options.Security), cancellationToken);
            if (_options.User is { Length: > 0 } user)
            {
                await client.AuthenticateAsync(user, _options.Password!, cancellationToken);
            }
        }
        catch (Exception exception) when (IsFailure(exception))
        {
            // Nothing has been said of the message yet.
            return new SendOutcome.Retry($"the SMTP server cannot be reached ({exception.GetType().Name})");
        }

        try
        {
            await client.SendAsync(message, cancellationToken);
        }
        catch (SmtpCommandException exception)
        {
            var reason = $"the SMTP server has answered {(int)exception.StatusCode}";
            return (int)exception.StatusCode < 500 ? new SendOutcome.Retry(reason) : new SendOutcome.Rejected(reason);
        }
        catch (Exception exception) when (IsFailure(exception))
        {
            return new SendOutcome.Unknown($"the SMTP server has broken off ({exception.GetType().Name})");
        }

        await LeaveAsync(client, cancellationToken);
        return new SendOutcome.Sent();
    }

    private static bool IsFailure(Exception exception) => exception is
        IOException or System.Net.Sockets.SocketException or ProtocolException or CommandException or AuthenticationException or SslHandshakeException
        or NotSupportedException or ServiceNotConnectedException or ServiceNotAuthenticatedException or OperationCanceledException;

    private static SecureSocketOptions SecurityOf(EmailSecurity security) => security switch
    {
        EmailSecurity.Tls => SecureSocketOptions.SslOnConnect,
        EmailSecurity.None => SecureSocketOptions.None,
        _ => SecureSocketOptions.StartTls,
    };

    /// <summary>The message has been taken, whatever becomes of the farewell.</summary>
    private static async Task LeaveAsync(SmtpClient client, CancellationToken cancellationToken)
    {
        try
        {
            await client.DisconnectAsync(quit: true, cancellationToken);
        }
        catch (Exception exception) when (IsFailure(exception))
        {
            // It has hung up first.
        }
    }

    private MimeMessage ToMessage(Delivery delivery, MailboxAddress to)
    {
        var from = MailboxAddress.Parse(_options.From!);
        from.Name = _options.FromName;
        var link = LinkOf(delivery.Link);
        var message = new MimeMessage
        {
            Subject = delivery.Title,
            Date = time.GetUtcNow(),
            // The same for every try: who gets it twice can tell.
            MessageId = $"{delivery.NotificationId}.{delivery.Id}@{from.Domain}",
            Body = new TextPart("plain") { Text = string.Join("\n\n", new[] { delivery.Body ?? delivery.Title, link }.OfType<string>()) + "\n" },
        };
        message.From.Add(from);
        message.To.Add(to);
        // No automatic answers, please.
        message.Headers.Add("Auto-Submitted", "auto-generated");
        if (delivery.Entry.Priority is NotificationPriority.Urgent)
        {
            message.Priority = MessagePriority.Urgent;
        }

        return message;
    }

    private string? LinkOf(string? link) => link switch
    {
        null => null,
        ['/', ..] => _options.LinkBase is { } start ? start.TrimEnd('/') + link : null,
        _ => link,
    };
}
