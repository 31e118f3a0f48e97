using System.ComponentModel.DataAnnotations;
using System.Security.Cryptography;
using Microsoft.Extensions.Options;
using MimeKit;

namespace RealtimeAspire.Server.Features.Notifications;

/// <summary>Reports everything that is wrong with the configuration, each with its key.</summary>
internal sealed class NotificationOptionsValidator : IValidateOptions<NotificationOptions>
{
    public ValidateOptionsResult Validate(string? name, NotificationOptions options)
    {
        var errors = new List<string>();
        CheckAnnotations("", options, errors);
        CheckAnnotations(":Email", options.Email, errors);
        if (options.LeaseSeconds <= 2 * options.SendTimeoutSeconds)
        {
            errors.Add($"{Key("LeaseSeconds")}: has to be more than twice SendTimeoutSeconds, so that a node is not taken for gone while it sends.");
        }

        foreach (var (kind, rule) in options.Kinds)
        {
            CheckAnnotations($":Kinds:{kind}", rule, errors);
            if (!NotificationKinds.IsName(kind))
            {
                errors.Add($"{Key($"Kinds:{kind}")}: a kind is 1 to 32 of a-z, 0-9 and -, and begins with a letter.");
            }
        }

        CheckPush(options.Push, errors);
        CheckEmail(options.Email, errors);
        return errors.Count == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(errors);
    }

    private static void CheckPush(PushOptions push, List<string> errors)
    {
        if (string.IsNullOrEmpty(push.PublicKey) != string.IsNullOrEmpty(push.PrivateKey))
        {
            errors.Add($"{Key("Push")}: PublicKey and PrivateKey are two halves of one; set both, or neither.");
        }

        if (!push.IsOn)
        {
            return;
        }

        if (!Uri.TryCreate(push.Subject, UriKind.Absolute, out var subject) || subject.Scheme is not ("mailto" or "https"))
        {
            errors.Add($"{Key("Push:Subject")}: push services want to know whom to turn to; set a mailto: or https: address.");
        }

        if (!IsPair(push))
        {
            errors.Add($"{Key("Push:PrivateKey")}: the keys are no pair of P-256 in base64url.");
        }
    }

    private static void CheckEmail(EmailOptions email, List<string> errors)
    {
        if (email.IsOn && !MailboxAddress.TryParse(email.From, out _))
        {
            errors.Add($"{Key("Email:From")}: mail needs a sender's address.");
        }

        if (string.IsNullOrEmpty(email.User) != string.IsNullOrEmpty(email.Password))
        {
            errors.Add($"{Key("Email")}: User and Password are set both, or neither.");
        }

        if (email is { User.Length: > 0, Security: EmailSecurity.None })
        {
            errors.Add($"{Key("Email:Security")}: a password is not sent over a connection that is not encrypted.");
        }

        if (email.LinkBase is { } link && !(Uri.TryCreate(link, UriKind.Absolute, out var address) && address.Scheme is "https" or "http"))
        {
            errors.Add($"{Key("Email:LinkBase")}: is an http(s) address.");
        }
    }

    private static bool IsPair(PushOptions push)
    {
        try
        {
            var point = System.Buffers.Text.Base64Url.DecodeFromChars(push.PublicKey);
            if (point is not [4, ..] || point.Length != 65)
            {
                return false;
            }

            // Throws where the halves do not fit.
            using var key = ECDsa.Create(new ECParameters
            {
                Curve = ECCurve.NamedCurves.nistP256,
                D = System.Buffers.Text.Base64Url.DecodeFromChars(push.PrivateKey),
                Q = new ECPoint { X = point[1..33], Y = point[33..] },
            });
            return key.VerifyData(point, key.SignData(point, HashAlgorithmName.SHA256), HashAlgorithmName.SHA256);
        }
        catch (Exception exception) when (exception is FormatException or CryptographicException)
        {
            return false;
        }
    }

    private static void CheckAnnotations(string key, object section, List<string> errors)
    {
        var results = new List<ValidationResult>();
        Validator.TryValidateObject(section, new ValidationContext(section), results, validateAllProperties: true);
        errors.AddRange(results.Select(result => $"{NotificationOptions.Section}{key}:{string.Join(',', result.MemberNames)}: {result.ErrorMessage}"));
    }

    private static string Key(string name) => $"{NotificationOptions.Section}:{name}";
}
