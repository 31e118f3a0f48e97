using System.ComponentModel.DataAnnotations;

namespace RealtimeAspire.Server.Features.Notifications;

/// <summary>The section <c>Realtime:Notifications</c>.</summary>
internal sealed class NotificationOptions
{
    public const string Section = "Realtime:Notifications";

    /// <summary>For how long a notification is kept that does not say when it expires, and at most, in days. Default: 90.</summary>
    [Range(1, 3_650)]
    public int KeepDays { get; set; } = 90;

    /// <summary>How long somebody has to acknowledge or read one before Web Push tells him, in seconds. Default: 30.</summary>
    [Range(0, 86_400)]
    public int PushDelaySeconds { get; set; } = 30;

    /// <summary>The same before an e-mail, in seconds. Default: 900.</summary>
    [Range(0, 604_800)]
    public int EmailDelaySeconds { get; set; } = 900;

    /// <summary>How often a channel is tried before it is a dead letter. Default: 8.</summary>
    [Range(1, 50)]
    public int MaxAttempts { get; set; } = 8;

    /// <summary>How long the second try waits, in seconds; each further one twice as long, up to <see cref="LastRetrySeconds"/>, and each by chance down to half of it. Default: 10.</summary>
    [Range(0, 3_600)]
    public int FirstRetrySeconds { get; set; } = 10;

    /// <summary>The longest wait before another try, in seconds. Default: 3,600.</summary>
    [Range(1, 86_400)]
    public int LastRetrySeconds { get; set; } = 3_600;

    /// <summary>How long one try may take, in seconds. Default: 20.</summary>
    [Range(1, 120)]
    public int SendTimeoutSeconds { get; set; } = 20;

    /// <summary>After which time without a word of it a node counts as gone that has taken something on, in seconds; more than twice <see cref="SendTimeoutSeconds"/>. Default: 60.</summary>
    [Range(3, 600)]
    public int LeaseSeconds { get; set; } = 60;

    /// <summary>How many deliveries a node has under way at once on each channel; of one user two at most. Default: 8.</summary>
    [Range(1, 100)]
    public int AtOnce { get; set; } = 8;

    /// <summary>How often a node looks for what is due, in milliseconds. Default: 1,000.</summary>
    [Range(20, 60_000)]
    public int PollMs { get; set; } = 1_000;

    /// <summary>The kinds of notifications, by name; <c>mention</c>, <c>invitation</c>, <c>badge</c> and <c>system</c> are built in.</summary>
    [MaxLength(100)]
    public Dictionary<string, KindOptions> Kinds { get; set; } = new(StringComparer.Ordinal);

    public PushOptions Push { get; set; } = new();

    public EmailOptions Email { get; set; } = new();
}

/// <summary>The section <c>Realtime:Notifications:Kinds:{name}</c>.</summary>
internal sealed class KindOptions
{
    /// <summary>Low, Normal, High or Urgent, for sends that do not say it. Default: Normal.</summary>
    [EnumDataType(typeof(NotificationPriority))]
    public NotificationPriority Priority { get; set; } = NotificationPriority.Normal;

    /// <summary>Whether Web Push tells of it who has not chosen himself. Default: true.</summary>
    public bool Push { get; set; } = true;

    /// <summary>Whether an e-mail does. Default: false.</summary>
    public bool Email { get; set; }
}

/// <summary>The section <c>Realtime:Notifications:Push</c>: Web Push with the server's own identity (VAPID).</summary>
internal sealed class PushOptions
{
    /// <summary>How push services reach the operator: a mailto: or https: address. Required with the keys.</summary>
    public string? Subject { get; set; }

    /// <summary>The public key, an uncompressed point of P-256, base64url. Default: none, Web Push is off.</summary>
    public string? PublicKey { get; set; }

    /// <summary>The private key, base64url. A secret, and the same on every node.</summary>
    public string? PrivateKey { get; set; }

    /// <summary>Whether endpoints may be at http addresses and at addresses of private networks. For development and tests. Default: false.</summary>
    public bool AllowPrivateAddresses { get; set; }

    public bool IsOn => !string.IsNullOrEmpty(PublicKey) && !string.IsNullOrEmpty(PrivateKey);
}

/// <summary>The section <c>Realtime:Notifications:Email</c>: mail by SMTP.</summary>
internal sealed class EmailOptions
{
    /// <summary>The SMTP server. Default: none, e-mail is off.</summary>
    public string? Host { get; set; }

    /// <summary>Its port. Default: 587.</summary>
    [Range(1, 65_535)]
    public int Port { get; set; } = 587;

    /// <summary>StartTls (refused by the server: no mail), Tls from the first byte, or None, which is for a server on this machine. Default: StartTls.</summary>
    [EnumDataType(typeof(EmailSecurity))]
    public EmailSecurity Security { get; set; } = EmailSecurity.StartTls;

    /// <summary>Whom to sign in as. Default: nobody.</summary>
    public string? User { get; set; }

    /// <summary>With which password. A secret.</summary>
    public string? Password { get; set; }

    /// <summary>The sender's address. Required with the host.</summary>
    public string? From { get; set; }

    /// <summary>The sender's name. Default: none.</summary>
    [MaxLength(100)]
    public string? FromName { get; set; }

    /// <summary>The application's address, before links that are paths. Default: none, mails have no such links.</summary>
    public string? LinkBase { get; set; }

    public bool IsOn => !string.IsNullOrEmpty(Host);
}

/// <summary>How the connection to the SMTP server is encrypted.</summary>
internal enum EmailSecurity
{
    /// <summary>After the first words; required.</summary>
    StartTls,

    /// <summary>From the first byte on.</summary>
    Tls,

    /// <summary>Not at all.</summary>
    None,
}
